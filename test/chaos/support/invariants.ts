/** What holds after every disturbance, whatever it was. */
import { expect } from 'vitest';
import { ledgerViolations } from '../../../db/ledger-invariants.js';
import { submissionReviewId } from '../../../workflows/submission-review/contract.js';
import type { World } from '../../support/world.js';

/**
 * The ledger adds up; every open submission has a running workflow and a wait row, every closed one neither; no mail
 * was accepted twice.
 */
export async function expectInvariants(world: World): Promise<void> {
  expect(await ledgerViolations(world.db)).toEqual([]);
  const submissions = await world.db
    .selectFrom('soundcloud_submissions as submission')
    .leftJoin('soundcloud_waits as wait', (join) =>
      join
        .onRef('wait.org_id', '=', 'submission.org_id')
        .onRef('wait.entity_id', '=', 'submission.id')
        .on('wait.entity_type', '=', 'submission'),
    )
    .select(['submission.org_id', 'submission.id', 'submission.closed_at', 'wait.stage'])
    .where('submission.imported_at', 'is', null)
    .execute();
  const wrong = submissions.filter(({ closed_at, stage }) => (closed_at === null) !== (stage !== null));
  expect(wrong).toEqual([]);
  for (const { org_id, id, closed_at } of submissions) {
    const handle = world.client.workflow.getHandle(submissionReviewId(org_id, id));
    // A review ends a moment after it has closed its row.
    if (closed_at !== null) await handle.result();
    else expect((await handle.describe()).status.name).toBe('RUNNING');
  }
  const keys = (await world.sandbox.admin.mails()).map((mail) => mail.idempotency_key);
  expect(keys).toEqual([...new Set(keys)]);
}
