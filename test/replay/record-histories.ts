/**
 * Records histories of real runs for replay.test.ts: `npx tsx test/replay/record-histories.ts`, with parts of names
 * only those stories. On servers of its own, with days of 24 seconds, so that alarms ring within seconds.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { readClock } from '../../db/clock.js';
import { dateOf, monthOf, toBusiness } from '../../domain/calendar.js';
import type { ReviewState } from '../../domain/submission-review.js';
import { cacheFolder } from '../../sandbox/cache-folder.js';
import { workflowBundle } from '../../sandbox/workflow-bundle.js';
import { attributionId } from '../../workflows/attribution/contract.js';
import { dailyQueueState, dailyQueueUpdates } from '../../workflows/daily-queue/contract.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
  monthlyCreditGrantState,
} from '../../workflows/monthly-credit-grant/contract.js';
import { RECONCILER_TYPE } from '../../workflows/reconciler/contract.js';
import { SCHEDULED_START_TYPE } from '../../workflows/scheduled-start/contract.js';
import {
  SUBMISSION_REVIEW_TYPE,
  submissionReviewState,
  submissionUpdates,
} from '../../workflows/submission-review/contract.js';
import { ownPostgres, ownTemporal } from '../chaos/support/own-servers.js';
import { reviewsOf } from '../chaos/support/reviews.js';
import { addQueueOrg, askAgain, settleAll, startQueue, type TestQueue } from '../support/daily-queues.js';
import { queuesOf } from '../support/queues.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { ACCOUNT_STORIES } from './account-stories.js';
import { ASSIGNMENT_STORIES } from './assignment-stories.js';
import { historyToJson } from './history-json.js';
import { neutralHistory } from './neutral-history.js';
import { SCHEDULE_STORIES } from './schedule-stories.js';

const WORKFLOWS = fileURLToPath(new URL('../../workflows', import.meta.url));
/** Reached only by the story that wants it. */
const SUGGESTED_AFTER = 150;

type Handle = ReturnType<World['client']['workflow']['getHandle']>;
type Save = (lifecycle: string, name: string, handle: Handle) => Promise<void>;

async function main(): Promise<void> {
  const [postgres, temporal] = await Promise.all([
    ownPostgres(),
    ownTemporal({ dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': SUGGESTED_AFTER } }),
  ]);
  const bundle = await workflowBundle(path.join(cacheFolder(), 'workflow-bundles'));
  const world = await createWorld({
    daySeconds: 24,
    servers: { database: postgres.database, temporalAddress: temporal.address, workflowBundle: bundle },
  });
  try {
    await world.startWorker();
    const wanted = process.argv.slice(2);
    for (const [name, story] of Object.entries({ ...STORIES, ...ASSIGNMENT_STORIES })) {
      if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
      console.error(`recording: ${name}`);
      await story(world, saveTo(world));
    }
  } finally {
    await world.remove();
    await temporal.remove();
    await postgres.remove();
  }
}

/** Each leaves one or more histories; together they go through every step a workflow has. */
const STORIES: Record<string, (world: World, save: Save) => Promise<void>> = {
  async 'rejected, with refused commands'(world, save) {
    const { taken, reject, handleOf } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    const handle = handleOf(submission);
    await handle.signal('decide', 'rubbish');
    await handle.signal('provideLiveLink', { by: 'member', url: submission.trackUrl });
    await handle.signal('decide', { by: 'ops', action: 'flag', reason: 'The cover needs a look' });
    await reject(submission);
    await save('submission-review', 'rejected', handle);

    const again = await world.client.workflow.start(SUBMISSION_REVIEW_TYPE, {
      workflowId: submission.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, submissionId: submission.id }],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    await again.result();
    await save('submission-review', 'started-on-a-closed-row', again);
  },

  async 'approved, the proposal renewed, withdrawn'(world, save) {
    const { taken, handleOf, facts } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    const handle = handleOf(submission);
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
    });
    await eventually(
      'the second proposal',
      async () => (await facts.proposals(submission)).length === 2,
      90_000,
    );
    await withdraw(handle);
    await save('submission-review', 'approved-and-withdrawn', handle);
  },

  async 'supported, after a skip and a shift, with its numbers'(world, save) {
    const { taken, handleOf } = reviewsOf(world);
    const { publish, settle, shift, credit } = queuesOf(world);
    const now = async () => toBusiness(await readClock(world.db), Date.now());
    const date = async (days: number) => dateOf((await now()) + days * 86_400_000, 'UTC');
    // Days enough for two gaps, and no week of waiting.
    await world.db
      .updateTable('soundcloud_settings')
      .set({ campaign_defaults: JSON.stringify({ attribution_days: 3 }) })
      .execute();
    const supporters = [await world.addMember(), await world.addMember()];
    const submission = await world.submit();
    await taken(submission);
    const handle = handleOf(submission);
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
    });
    await credit(submission.member, 2, await now());
    const to = { date: await date(1), count: 14, reason: 'no capacity', ask: true, at: await now() };
    await shift(submission, to);
    await stateIs(handle, ({ support }) => support?.asked === true);
    await handle.executeUpdate(submissionUpdates.keepWaiting, { args: [{ by: world.adminId }] });
    const at = await now();
    const queue = { submission, slotAt: at, at };
    const [first] = await publish({ ...queue, date: await date(0), supporters: supporters.slice(0, 1) });
    if (first === undefined) throw new Error('no assignment');
    await stateIs(handle, ({ stage }) => stage === 'support');
    await handle.signal('withdraw', { by: 'member' });
    await settle(first, 'skipped', await now());
    await stateIs(handle, ({ support }) => support?.owed === 1);
    const [second] = await publish({
      ...queue,
      date: await date(1),
      supporters: supporters.slice(1),
      replacementFor: first.id,
    });
    if (second === undefined) throw new Error('no assignment');
    // Longer than the daily look at the rows.
    await stateIs(handle, ({ support }) => (support?.readAt ?? 0) > at + 26 * 3_600_000, 90_000);
    await settle(second, 'completed', await now());
    await handle.result();
    await save('submission-review', 'supported', handle);

    const numbers = world.client.workflow.getHandle(attributionId(world.orgId, 'submission', submission.id));
    await world.sandbox.admin.addFault('soundcloud', { kind: 'status', status: 503 });
    await eventually(
      'two gaps',
      async () => {
        const row = await world.db
          .selectFrom('soundcloud_attributions')
          .select('gaps')
          .where('parent_id', '=', submission.id)
          .executeTakeFirst();
        return ((row?.gaps ?? []) as unknown as unknown[]).length >= 2;
      },
      150_000,
    );
    await world.sandbox.admin.clearFaults('soundcloud');
    await numbers.result();
    await save('attribution', 'with-gaps', numbers);
  },

  async 'closed by ops without support'(world, save) {
    const { taken, handleOf } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    const handle = handleOf(submission);
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'approve' }],
    });
    await handle.executeUpdate(submissionUpdates.closeSupport, {
      args: [{ by: world.adminId, reason: 'Nobody plays this genre.' }],
    });
    await handle.result();
    await save('submission-review', 'closed-unsupported', handle);
  },

  async 'a live link, asked for, reminded of, given'(world, save) {
    const { taken, reject, handleOf, facts } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    const handle = handleOf(submission);
    await handle.executeUpdate(submissionUpdates.assignOwner, {
      args: [{ by: world.adminId, ownerId: world.moderatorId }],
    });
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'pend', needLiveLink: true }],
    });
    await eventually(
      'the reminder',
      async () => {
        const mails = await facts.mails(submission);
        return mails.filter((mail) => mail === 'request_live_link sent').length === 2;
      },
      90_000,
    );
    await handle.executeUpdate(submissionUpdates.provideLiveLink, {
      args: [{ by: 'member', url: 'https://soundcloud.com/some-artist/out-now' }],
    });
    await reject(submission);
    await save('submission-review', 'live-link', handle);
  },

  async 'breached, and decided by ops'(world, save) {
    await setting(world, { decision_sla_hours: 2 });
    const { taken, reject, handleOf } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    await breached(world, submission);
    await setting(world, { decision_sla_hours: 24 });
    await reject(submission);
    await save('submission-review', 'breached', handleOf(submission));
  },

  async 'breached, and rejected by the org’s policy'(world, save) {
    await setting(world, { decision_sla_hours: 2, on_breach: 'reject_refund' });
    const { taken, handleOf } = reviewsOf(world);
    const submission = await world.submit();
    await taken(submission);
    await handleOf(submission).result();
    await setting(world, { decision_sla_hours: 24, on_breach: 'escalate' });
    await save('submission-review', 'rejected-on-breach', handleOf(submission));
  },

  async 'SoundCloud and the mail provider away for a while'(world, save) {
    const { admin } = world.sandbox;
    await admin.addFault('soundcloud', { kind: 'status', status: 503 });
    await admin.addFault('mailbox', {
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '1' },
      body: { statusCode: 429, name: 'rate_limit_exceeded', message: 'Too many requests.' },
      path: '/emails',
    });
    const { reject, taken, handleOf, facts } = reviewsOf(world);
    const submission = await world.submit();
    await eventually('the pause', async () => (await facts.wait(submission))?.waiting_on === 'provider');
    await admin.clearFaults('soundcloud');
    await admin.clearFaults('mailbox');
    await taken(submission);
    await reject(submission);
    await save('submission-review', 'providers-down', handleOf(submission));
  },

  async 'continued as new'(world, save) {
    const { admin } = world.sandbox;
    await admin.addFault('mailbox', { kind: 'status', status: 503, path: '/emails' });
    const submission = await world.submit();
    const { handleOf, reject, facts } = reviewsOf(world);
    await eventually('the track', async () => (await facts.row(submission)).track_urn !== null);
    const handle = handleOf(submission);
    const { runId: first } = await handle.describe();
    for (let at = 0; (await handle.describe()).runId === first; at += 1) {
      await handle.executeUpdate(submissionUpdates.assignOwner, {
        args: [{ by: world.adminId, ownerId: at % 2 === 0 ? world.adminId : null }],
      });
    }
    await admin.clearFaults('mailbox');
    await reject(submission);
    await save(
      'submission-review',
      'continued-first-run',
      world.client.workflow.getHandle(handle.workflowId, first),
    );
    await save('submission-review', 'continued-last-run', handle);
  },

  async 'queue: warned, lapsed, asked for again, lapsed'(world, save) {
    const queue = await addQueueOrg(world, await businessNow(world), {
      min_approval_hours: 4,
      no_generation_after: '21:00',
    });
    const first = await startQueue(world, queue);
    await first.result();
    await save('daily-queue', 'lapsed', first);
    await world.db
      .updateTable('soundcloud_queues')
      .set({ status: 'draft', approve_by: null, closed_at: null })
      .where('org_id', '=', queue.orgId)
      .execute();
    const again = await startQueue(world, queue);
    await again.result();
    await save('daily-queue', 'lapsed-again', again);
    const closed = await startQueue(world, queue);
    await closed.result();
    await save('daily-queue', 'started-on-a-closed-row', closed);
  },

  async 'queue: asked again while it ends, approved in time and found late'(world, save) {
    const queue = await addQueueOrg(world, await businessNow(world), {
      min_approval_hours: 4,
      no_generation_after: '21:00',
    });
    await world.db
      .updateTable('soundcloud_settings')
      .set({ slack_enabled: true, slack_webhook: world.sandbox.urls.slackWebhook })
      .where('org_id', '=', queue.orgId)
      .execute();
    await world.sandbox.admin.addFault('slack', { kind: 'hang' });
    const handle = await startQueue(world, queue);
    const drafts = async () => (await queue.facts.drafts()).length;
    await eventually('the lapse', async () => {
      return (await queue.facts.queue(queue.date))?.status === 'lapsed';
    });
    await askAgain(world, queue);
    await eventually('the second draft', async () => (await drafts()) === 2);
    // As if the API had died before it sent the approval on.
    const id = 'a'.repeat(64);
    await sql`insert into public.soundcloud_commands (org_id, id, workflow_id, name, payload)
      values (${queue.orgId}, ${id}, ${queue.workflowId}, 'approve',
        ${JSON.stringify({ by: queue.adminId, commandId: id })}::jsonb)`.execute(world.db);
    await reached(world, queue, 'settling');
    await settleAll(world, queue, await businessNow(world));
    await handle.signal('assignmentsSettled', {});
    await world.sandbox.admin.clearFaults('slack');
    await handle.result();
    await save('daily-queue', 'asked-again-and-approved-late', handle);
  },

  async 'queue: edited, refused, approved, published, settled'(world, save) {
    const queue = await addQueueOrg(world, await businessNow(world), { approval_cutoff: '21:00' });
    const handle = await startQueue(world, queue);
    await reached(world, queue, 'approval');
    const by = queue.adminId;
    const [first] = await queue.facts.assignments(queue.date);
    await handle.signal('approve', 'rubbish');
    await handle.signal('dropAssignment', { by, assignmentId: queue.orgId });
    await handle.executeUpdate(dailyQueueUpdates.dropAssignment, {
      args: [{ by, assignmentId: first?.id ?? '' }],
    });
    await handle.executeUpdate(dailyQueueUpdates.regenerate, { args: [{ by }] });
    await handle.executeUpdate(dailyQueueUpdates.approve, { args: [{ by }] });
    await reached(world, queue, 'settling');
    await handle.signal('approve', { by });
    await handle.signal('assignmentsSettled', {});
    await settleAll(world, queue, await businessNow(world));
    await handle.signal('assignmentsSettled', {});
    await handle.result();
    await save('daily-queue', 'published', handle);
  },

  async 'queue: without demand'(world, save) {
    const queue = await addQueueOrg(world, await businessNow(world));
    await world.db
      .updateTable('soundcloud_submissions')
      .set({ status: 'rejected' })
      .where('id', '=', queue.submission)
      .execute();
    const handle = await startQueue(world, queue);
    await handle.result();
    await save('daily-queue', 'without-demand', handle);
  },

  async 'queue: too late to generate'(world, save) {
    const queue = await addQueueOrg(world, await businessNow(world), { no_generation_after: '00:01' });
    const handle = await startQueue(world, queue);
    await handle.result();
    await save('daily-queue', 'too-late', handle);
  },

  async 'the reconciler, with work to do'(world, save) {
    const submission = await world.submit();
    await reviewsOf(world).taken(submission);
    await reviewsOf(world).handleOf(submission).terminate('for the record');
    const handle = await world.client.workflow.start(RECONCILER_TYPE, {
      workflowId: 'reconciler',
      taskQueue: world.config.SPARK_TASK_QUEUE,
    });
    await handle.result();
    await save('reconciler', 'restarted-one', handle);
  },

  async 'the monthly grant of sixty years, refused for a while'(world, save) {
    await world.addMember();
    const month = monthOf(toBusiness(await readClock(world.db), Date.now()), 'UTC');
    await sql`update soundcloud_repost_credit_wallet set last_granted_at = '1966-01-01T00:00:00Z'`.execute(
      world.db,
    );
    await sql
      .raw(
        `create function public.refuse() returns trigger language plpgsql as
         $$ begin raise exception 'not now'; end $$;
         create trigger refuse before insert on soundcloud_repost_credit_ledger
         for each row when (new.idempotency_key like '%:1975-03') execute function public.refuse()`,
      )
      .execute(world.db);
    const handle = await world.client.workflow.start(MONTHLY_CREDIT_GRANT_TYPE, {
      workflowId: monthlyCreditGrantId(world.orgId, month),
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, month }],
    });
    const { runId } = await handle.describe();
    await eventually('the trouble', async () => {
      return (await handle.query(monthlyCreditGrantState)).stage === 'trouble';
    });
    await sql.raw('drop trigger refuse on soundcloud_repost_credit_ledger').execute(world.db);
    await handle.result();
    const firstRun = world.client.workflow.getHandle(handle.workflowId, runId);
    await save('monthly-credit-grant', 'refused-for-a-while-first-run', firstRun);
    await save('monthly-credit-grant', 'last-run', world.client.workflow.getHandle(handle.workflowId));
  },

  async 'the start of what is due, twice'(world, save) {
    for (const name of ['started', 'already-started']) {
      const handle = await world.client.workflow.start(SCHEDULED_START_TYPE, {
        workflowId: `business-day-${name}`,
        taskQueue: world.config.SPARK_TASK_QUEUE,
        args: [{ orgId: world.orgId, automations: ['monthly-credit-grant', 'daily-queue'] }],
      });
      await handle.result();
      await save('scheduled-start', name, handle);
    }
  },
  ...SCHEDULE_STORIES,
  ...ACCOUNT_STORIES,
};

function saveTo(world: World): Save {
  return async (lifecycle, name, handle) => {
    const folder = path.join(WORKFLOWS, lifecycle, 'histories');
    mkdirSync(folder, { recursive: true });
    const history = historyToJson(await handle.fetchHistory());
    const neutral = neutralHistory(history, world.config.SPARK_TASK_QUEUE);
    writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(neutral, null, 1)}\n`);
  };
}

async function businessNow(world: World): Promise<number> {
  return toBusiness(await readClock(world.db), Date.now());
}

function reached(world: World, queue: TestQueue, stage: string): Promise<boolean> {
  return eventually(`stage ${stage}`, async () => {
    const { state } = await world.client.workflow.getHandle(queue.workflowId).query(dailyQueueState);
    return state?.stage === stage;
  });
}

async function setting(
  world: World,
  change: { on_breach?: string; decision_sla_hours?: number },
): Promise<void> {
  await world.db.updateTable('soundcloud_settings').set(change).where('org_id', '=', world.orgId).execute();
}

/** Waits until a review's state is as wanted. */
function stateIs(
  handle: Handle,
  wanted: (state: ReviewState) => boolean,
  limitMs?: number,
): Promise<boolean> {
  return eventually(
    'the state of the review',
    async () => {
      const { state } = await handle.query(submissionReviewState);
      return state !== null && wanted(state);
    },
    limitMs,
  );
}

function breached(world: World, submission: Submission): Promise<boolean> {
  const { facts } = reviewsOf(world);
  return eventually('the breach', async () => (await facts.wait(submission))?.breached);
}

async function withdraw(handle: Handle): Promise<void> {
  await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
  await handle.result();
}

await main();
