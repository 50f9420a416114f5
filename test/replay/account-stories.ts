/** What is recorded of the look at accounts and of the mails that events send. */

import { readClock } from '../../db/clock.js';
import { addDays, dateOf, startOfDate, toBusiness, toReal } from '../../domain/calendar.js';
import {
  ACCOUNT_HEALTH_TYPE,
  accountHealthId,
  accountHealthState,
} from '../../workflows/account-health/contract.js';
import { automationMailId } from '../../workflows/automation-mail/contract.js';
import { eventually } from '../support/review-facts.js';
import type { World } from '../support/world.js';

type Handle = ReturnType<World['client']['workflow']['getHandle']>;
type Save = (lifecycle: string, name: string, handle: Handle) => Promise<void>;

export const ACCOUNT_STORIES: Record<string, (world: World, save: Save) => Promise<void>> = {
  async 'accounts: one promoted, one lost, SoundCloud away for a moment'(world, save) {
    const { admin } = world.sandbox;
    const [promoted, lost] = [await world.addMember(), await world.addMember()];
    await admin.addUsers([
      { handle: promoted.handle, followers: 20_000 },
      { handle: lost.handle, followers: 5_000 },
    ]);
    await admin.addMembers([{ handle: promoted.handle }, { handle: lost.handle, status: 'UNLINKED' }]);
    await admin.addFault('soundcloud', { kind: 'status', status: 503, count: 12 });
    const handle = await sweep(world, await newDay(world));
    await handle.result();
    await save('account-health', 'promoted-and-lost', handle);

    const event = await eventually('the event', () =>
      world.db
        .selectFrom('soundcloud_events')
        .select('id')
        .where('entity_id', '=', promoted.id)
        .where('type', '=', 'member.promoted')
        .executeTakeFirst(),
    );
    const mail = world.client.workflow.getHandle(automationMailId(world.orgId, event.id));
    await mail.result();
    await save('automation-mail', 'promotion', mail);
  },

  async 'accounts: Influence Planner away until the run is continued as new'(world, save) {
    const { admin } = world.sandbox;
    await admin.addFault('planner', { kind: 'status', status: 503 });
    const handle = await sweep(world, await newDay(world));
    const { runId: first } = await handle.describe();
    await eventually('the next run', async () => (await handle.describe()).runId !== first, 60_000);
    await admin.clearFaults('planner');
    await handle.result();
    await save(
      'account-health',
      'continued-first-run',
      world.client.workflow.getHandle(handle.workflowId, first),
    );
    await save('account-health', 'continued-last-run', handle);
  },

  async 'accounts: an account without an answer, and Influence Planner away until the day ends'(world, save) {
    const { admin } = world.sandbox;
    const silent = await world.addMember();
    await admin.addUsers([{ handle: silent.handle, followers: 5_000 }]);
    await admin.addFault('soundcloud', { kind: 'status', status: 500, path: '/resolve' });
    const clock = await readClock(world.db);
    const date = await newDay(world);
    // Late in the day, so that the end of the day comes before the history is long.
    const late = toReal(clock, startOfDate(addDays(date, 1), 'UTC')) - 6_000;
    await eventually('the evening', async () => Date.now() > late, 60_000);
    await admin.addFault('planner', { kind: 'status', status: 402 });
    const handle = await sweep(world, date);
    await handle.query(accountHealthState);
    await handle.result();
    await admin.clearFaults('planner');
    await admin.clearFaults('soundcloud');
    await save('account-health', 'given-up-with-the-day', handle);
  },
};

function sweep(world: World, date: string) {
  return world.client.workflow.start(ACCOUNT_HEALTH_TYPE, {
    workflowId: accountHealthId(world.orgId, date),
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, date }],
  });
}

/** Waits for the next business day to begin. @returns its date. */
async function newDay(world: World): Promise<string> {
  const clock = await readClock(world.db);
  const today = () => dateOf(toBusiness(clock, Date.now()), 'UTC');
  const before = today();
  await eventually('the next day', async () => today() !== before, 60_000);
  return today();
}
