/** What holds for assignments after every disturbance, whatever it was. */
import { sql } from 'kysely';
import { expect } from 'vitest';
import { disorderInBooks } from '../../support/books.js';
import type { World } from '../../support/world.js';

/**
 * The ledger adds up; no hold is open for a settled assignment and none is missing for an open one; open assignments
 * wait for something and closed ones for nothing; nothing was mailed twice; each queue was done once at most.
 */
export async function expectAssignmentInvariants(world: World): Promise<void> {
  expect(await disorderInBooks(world.db)).toBeUndefined();
  const { rows } = await sql<{ wrong: string; id: string }>`
    select 'wait and settlement disagree' as wrong, a.id from public.soundcloud_queue_assignments a
    left join public.soundcloud_waits w on w.org_id = a.org_id and w.entity_id = a.id
    where (a.settled_at is null) <> (w.stage is not null)
    union all
    select 'a task of a settled assignment is open', t.id from public.soundcloud_ops_tasks t
    join public.soundcloud_queue_assignments a on a.org_id = t.org_id and a.id = t.entity_id
    where t.kind = 'proof_unverified' and t.status = 'open' and a.settled_at is not null
    union all
    select 'the queue was done twice', (array_agg(e.entity_id))[1] from public.soundcloud_events e
    where e.type = 'assignment.settled' and (e.data ->> 'queue_done')::boolean
    group by e.data ->> 'queue_id' having count(*) > 1`.execute(world.db);
  expect(rows).toEqual([]);
  const keys = (await world.sandbox.admin.mails()).map((mail) => mail.idempotency_key);
  expect(keys).toEqual([...new Set(keys)]);
}
