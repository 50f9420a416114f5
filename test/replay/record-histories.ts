/**
 * Records histories of real runs for replay.test.ts: `npx tsx test/replay/record-histories.ts`. On servers of its own,
 * with days of 24 seconds, so that alarms ring within seconds.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../sandbox/cache-folder.js';
import { workflowBundle } from '../../sandbox/workflow-bundle.js';
import { RECONCILER_TYPE } from '../../workflows/reconciler/contract.js';
import { SUBMISSION_REVIEW_TYPE, submissionUpdates } from '../../workflows/submission-review/contract.js';
import { ownPostgres, ownTemporal } from '../chaos/support/own-servers.js';
import { reviewsOf } from '../chaos/support/reviews.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
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
    for (const [name, story] of Object.entries(STORIES)) {
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

  ...SCHEDULE_STORIES,
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

async function setting(
  world: World,
  change: { on_breach?: string; decision_sla_hours?: number },
): Promise<void> {
  await world.db.updateTable('soundcloud_settings').set(change).where('org_id', '=', world.orgId).execute();
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
