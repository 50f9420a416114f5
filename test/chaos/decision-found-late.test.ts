/** No worker runs from a decision to the end of the promised time: the decision counts, and so does the breach. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readClock } from '../../db/clock.js';
import { HOUR_MS, toReal } from '../../domain/calendar.js';
import { eventually, reviewFacts } from '../support/review-facts.js';
import { createWorld, type World } from '../support/world.js';

/** An hour passes in a second. */
const DAY_SECONDS = 24;
const PROMISE_HOURS = 8;
const REASON = 'This track was already supported by our network twice in the last month.';

let world: World;
let facts: ReturnType<typeof reviewFacts>;

beforeAll(async () => {
  world = await createWorld({ daySeconds: DAY_SECONDS });
  facts = reviewFacts(world);
  await world.db
    .updateTable('soundcloud_settings')
    .set({ decision_sla_hours: PROMISE_HOURS })
    .where('org_id', '=', world.orgId)
    .execute();
});
afterAll(async () => {
  await world.remove();
});

it('a decision sent in time and found after the deadline does not hide that the promise was broken', async () => {
  const first = await world.startWorker();
  const submission = await world.submit();
  await eventually('the track is read', async () => (await facts.row(submission)).track_urn !== null);
  await first.stop();

  const handle = world.client.workflow.getHandle(submission.workflowId);
  await handle.signal('decide', { by: world.adminId, action: 'reject', reason: REASON });
  const row = await facts.row(submission);
  const due = toReal(await readClock(world.db), row.submitted_at.getTime() + PROMISE_HOURS * HOUR_MS);
  await eventually('the promised time is over', async () => Date.now() > due);
  await world.startWorker();
  await handle.result();

  expect(await facts.events(submission)).toEqual([
    'submission.created',
    'submission.breached',
    'submission.decided',
  ]);
  expect(await facts.row(submission)).toMatchObject({ status: 'rejected', reject_reason: REASON });
});
