/** What holds in every database of a test at its end, whatever the test did. */
import { sql } from 'kysely';
import type { Db } from '../../db/client.js';
import { ledgerViolations } from '../../db/ledger-invariants.js';

/**
 * The ledger adds up, holds stand as their assignments do, no closed submission has an open assignment.
 * @param db the owner, who sees all orgs
 * @returns an error that names what is wrong; undefined when all is in order
 */
export async function disorderInBooks(db: Db): Promise<Error | undefined> {
  const ledger = await ledgerViolations(db);
  const { rows } = await sql<{ rule: string; id: string }>`
    select 'hold and settlement disagree' as rule, a.id from public.soundcloud_queue_assignments a
    join public.soundcloud_credit_holds h on h.org_id = a.org_id and h.assignment_id = a.id
    where (a.settled_at is null) <> (h.status = 'open')
      or (h.status = 'captured') <> (a.settled_at is not null and a.status = 'completed')
    union all
    select 'a closed submission has an open assignment', s.id from public.soundcloud_submissions s
    join public.soundcloud_queue_assignments a on a.org_id = s.org_id and a.submission_id = s.id
    join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id
    where s.closed_at is not null and a.settled_at is null and q.status = 'published'`.execute(db);
  const wrong = [
    ...ledger.map(({ rule, detail }) => `${rule}: ${detail}`),
    ...rows.map(({ rule, id }) => `${rule}: ${id}`),
  ];
  if (wrong.length === 0) return undefined;
  return new Error(`The books are not in order after the tests.\n${wrong.join('\n')}`);
}
