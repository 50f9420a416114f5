/** Rows whose workflow is missing, failed, superfluous or not wanted. */
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReconcilerActivities, type ReconcilerReport } from '../../activities/reconciler.js';
import { createDatabase } from '../../db/client.js';
import { createStarter } from '../../outbox/starter.js';
import { freePort } from '../../sandbox/ports.js';
import { RECONCILER_TYPE } from '../../workflows/reconciler/contract.js';
import {
  SUBMISSION_REVIEW_TYPE,
  submissionReviewId,
  submissionReviewState,
  submissionUpdates,
} from '../../workflows/submission-review/contract.js';
import { eventually, reviewFacts } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { expectInvariants } from './support/invariants.js';

const REASON = 'This track was already supported by our network twice in the last month.';

let world: World;
let facts: ReturnType<typeof reviewFacts>;

beforeAll(async () => {
  world = await createWorld();
  facts = reviewFacts(world);
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
});

const handleOf = (submission: Submission) => world.client.workflow.getHandle(submission.workflowId);

function reconcile(): Promise<ReconcilerReport> {
  return world.client.workflow.execute(RECONCILER_TYPE, {
    workflowId: `${world.config.SPARK_TASK_QUEUE}:reconciler-by-test`,
    taskQueue: world.config.SPARK_TASK_QUEUE,
  });
}

async function underReview(): Promise<Submission> {
  const submission = await world.submit();
  await taken(submission);
  return submission;
}

function taken(submission: Submission): Promise<boolean> {
  return eventually('the intake', async () => {
    const [confirmation] = await facts.mails(submission);
    return confirmation?.endsWith(' sent') && (await facts.row(submission)).track_urn !== null;
  });
}

async function reject(submission: Submission): Promise<void> {
  await handleOf(submission).executeUpdate(submissionUpdates.decide, {
    args: [{ by: world.adminId, action: 'reject', reason: REASON }],
  });
  await handleOf(submission).result();
}

async function alarmsAbout(submission: Submission): Promise<string[]> {
  const rows = await world.db
    .selectFrom('soundcloud_notifications')
    .select(['user_id', 'message'])
    .where('title', '=', 'A workflow needs a look')
    .execute();
  return rows.filter((row) => row.message.includes(submission.workflowId)).map((row) => row.user_id);
}

describe('the reconciler', () => {
  it('starts the review of a row whose event was never relayed, once', async () => {
    // Marked as relayed in the transaction that writes it: the relay never sees it.
    const member = await world.addMember();
    const other = await underReview();
    const id = await world.db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ id: string }>`
        insert into public.soundcloud_submissions (org_id, member_id, track_url, submitted_at)
        values (${world.orgId}, ${member.id}, ${'https://soundcloud.com/nobody/lost'}, private.business_now())
        returning id`.execute(trx);
      const made = rows[0]?.id ?? '';
      await sql`update public.soundcloud_events set relayed_at = now() where entity_id = ${made}`.execute(
        trx,
      );
      return made;
    });
    const lost: Submission = {
      id,
      member,
      workflowId: submissionReviewId(world.orgId, id),
      trackUrl: 'https://soundcloud.com/nobody/lost',
    };
    await expect(handleOf(lost).describe()).rejects.toThrow(/not found/i);

    expect(await reconcile()).toMatchObject({ started: 1, restarted: 0, stranded: 0 });
    await eventually('the flag of a track that is not there', async () => {
      return (await facts.row(lost)).status === 'qa_flag';
    });
    expect(await reconcile()).toMatchObject({ started: 0, restarted: 0, stranded: 0 });
    expect(await alarmsAbout(lost)).toEqual([]);
    await reject(lost);
    await reject(other);
  });

  it('starts a terminated review again where it stood, and tells admins once however often it happens', async () => {
    const submission = await underReview();
    const handle = handleOf(submission);
    await handle.executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'pend', needLiveLink: true }],
    });
    const waited = await facts.wait(submission);
    for (let round = 0; round < 2; round += 1) {
      await handle.terminate('by mistake');
      expect(await reconcile()).toMatchObject({ started: 0, restarted: 1, stranded: 0 });
      const { state } = await eventually('the state', async () => {
        const view = await handle.query(submissionReviewState);
        return view.state === null ? undefined : view;
      });
      expect(state).toMatchObject({ stage: 'live_link', status: 'pending' });
      expect(state?.sla.runningSince).toBeNull();
      expect(await facts.wait(submission)).toEqual(waited);
    }
    expect(await alarmsAbout(submission)).toEqual([world.adminId]);
    await eventually(
      'the mail to the member',
      async () =>
        (await facts.mails(submission)).join() === 'submission_confirmation sent,request_live_link sent',
    );
    await handle.executeUpdate(submissionUpdates.withdraw, { args: [{ by: 'member' }] });
    await handle.result();
  });

  it('leaves imported history alone', async () => {
    const { rows } = await sql<{ id: string }>`
      insert into public.soundcloud_submissions (org_id, track_url, submitted_at, imported_at, status)
      values (${world.orgId}, 'https://soundcloud.com/somebody/old', now(), now(), 'approved') returning id`.execute(
      world.db,
    );
    const workflowId = submissionReviewId(world.orgId, rows[0]?.id ?? '');
    expect(await reconcile()).toMatchObject({ started: 0, restarted: 0, stranded: 0 });
    await expect(world.client.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
  });

  it('raises no alarm about a review that ends while it looks', async () => {
    const submission = await underReview();
    const starter = createStarter(world.client, world.config.SPARK_TASK_QUEUE);
    const { reconcile: run } = createReconcilerActivities({
      db: world.db,
      scheduled: [],
      starter: {
        ...starter,
        listedAsRunning: async () => undefined,
        // The list of open rows is read; now, before the look at the workflow, the review ends.
        async inspect(workflowId) {
          if (workflowId === submission.workflowId) await reject(submission);
          return starter.inspect(workflowId);
        },
      },
    });
    expect(await new MockActivityEnvironment().run(run)).toMatchObject({ stranded: 0 });
    expect(await alarmsAbout(submission)).toEqual([]);
  });

  it('asks for many at once, and one by one only for those that are not listed', async () => {
    const submissions = [];
    for (let n = 0; n < 12; n += 1) submissions.push(await underReview());
    const starter = createStarter(world.client, world.config.SPARK_TASK_QUEUE);
    const ids = submissions.map(({ workflowId }) => workflowId);
    await eventually('all are listed', async () => (await starter.listedAsRunning(ids))?.size === ids.length);
    const [killed] = submissions;
    if (killed === undefined) throw new Error('a submission');
    await handleOf(killed).terminate('by mistake');
    await eventually('one is not listed any more', async () => {
      return (await starter.listedAsRunning(ids))?.size === ids.length - 1;
    });
    const report = await reconcile();
    expect(report).toMatchObject({ restarted: 1, stranded: 0, troubled: 0 });
    expect(report.running).toBe(report.checked - 1);
    // A few more when it is their turn.
    expect(report.inspected).toBeLessThan(6);
    for (const submission of submissions) await reject(submission);
  });

  it('reports a row that its review left open', async () => {
    const submission = await underReview();
    await reject(submission);
    await sql`update public.soundcloud_submissions set closed_at = null where id = ${submission.id}`.execute(
      world.db,
    );
    expect(await reconcile()).toMatchObject({ stranded: 1 });
    expect(await alarmsAbout(submission)).toEqual([world.adminId]);
    await sql`update public.soundcloud_submissions set closed_at = now() where id = ${submission.id}`.execute(
      world.db,
    );
  });
});

describe('without a list', () => {
  it('everything is asked for one by one, and the list only once a run', { timeout: 60_000 }, async () => {
    const unlisted = await createWorld();
    const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}` });
    try {
      // More than one list asks for.
      const { id: memberId } = await unlisted.addMember();
      await unlisted.db
        .updateTable('soundcloud_members')
        .set({ monthly_submission_limit: 101 })
        .where('id', '=', memberId)
        .execute();
      await sql`insert into public.soundcloud_submissions (org_id, member_id, track_url, submitted_at)
        select ${unlisted.orgId}, ${memberId}, 'https://soundcloud.com/nobody/' || n, private.business_now() from generate_series(1, 101) as n`.execute(
        unlisted.db,
      );
      const starter = createStarter(unlisted.client, unlisted.config.SPARK_TASK_QUEUE);
      const away = createStarter(new Client({ connection }), unlisted.config.SPARK_TASK_QUEUE);
      let lists = 0;
      let missing = 0;
      const { reconcile: run } = createReconcilerActivities({
        db: unlisted.db,
        scheduled: [],
        starter: {
          ...starter,
          async listedAsRunning(ids) {
            lists += 1;
            return away.listedAsRunning(ids);
          },
          async startAgain() {
            missing += 1;
            return false;
          },
        },
      });
      const report = await new MockActivityEnvironment().run(run);
      expect(report).toMatchObject({ checked: 101, inspected: 101, running: 0, troubled: 0 });
      expect({ lists, missing }).toEqual({ lists: 1, missing: 101 });
    } finally {
      await connection.close();
      await unlisted.remove();
    }
  });
});

describe('an automation that is late', () => {
  it('is told to admins once a day, and not while it is switched off', async () => {
    const worker = createDatabase(world.database.workerUrl, { max: 2 });
    const { reconcile: run } = createReconcilerActivities({
      db: worker,
      scheduled: ['monthly-credit-grant'],
      starter: createStarter(world.client, world.config.SPARK_TASK_QUEUE),
    });
    const late = async () => ((await new MockActivityEnvironment().run(run)) as ReconcilerReport).late;
    const told = () =>
      world.db
        .selectFrom('soundcloud_notifications')
        .select(['user_id', 'message'])
        .where('title', '=', 'An automation is late')
        .execute();
    expect(await late()).toBe(0);
    const change = (set: object) =>
      world.db
        .updateTable('soundcloud_automation_health')
        .set(set)
        .where('org_id', '=', world.orgId)
        .where('automation_name', '=', 'monthly-credit-grant')
        .execute();
    await change({ last_success_at: new Date('2026-01-01T00:05:00Z'), status: 'disabled' });
    expect(await late()).toBe(0);
    await change({ status: 'healthy' });
    expect(await late()).toBe(0);
    // Switched on long ago.
    await change({ expected_since: new Date('2026-01-02T00:05:00Z') });
    expect(await late()).toBe(1);
    expect(await late()).toBe(1);
    expect(await told()).toEqual([
      {
        user_id: world.adminId,
        message: expect.stringContaining('monthly-credit-grant last succeeded on 2026-01-01'),
      },
    ]);
    await worker.destroy();
  });
});

describe('a review that is started once more', () => {
  it('by the relay, which had not noted that it did, goes on as one', async () => {
    const submission = await underReview();
    const { runId } = await handleOf(submission).describe();
    await sql`update public.soundcloud_events set relayed_at = null where entity_id = ${submission.id}`.execute(
      world.db,
    );
    await sql`select pg_notify('soundcloud_events', '')`.execute(world.db);
    await eventually('the event is relayed again', async () => {
      const event = await world.db
        .selectFrom('soundcloud_events')
        .select('relayed_at')
        .where('entity_id', '=', submission.id)
        .executeTakeFirstOrThrow();
      return event.relayed_at !== null;
    });
    expect((await handleOf(submission).describe()).runId).toBe(runId);
    expect(await facts.mails(submission)).toEqual(['submission_confirmation sent']);
    await reject(submission);
  });

  it('ends at once when its row is closed, and changes nothing', async () => {
    const submission = await underReview();
    await reject(submission);
    const before = [
      await facts.row(submission),
      await facts.mails(submission),
      await facts.events(submission),
    ];
    await world.client.workflow.execute(SUBMISSION_REVIEW_TYPE, {
      workflowId: submission.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, submissionId: submission.id }],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    expect([
      await facts.row(submission),
      await facts.mails(submission),
      await facts.events(submission),
    ]).toEqual(before);
    expect(await facts.wait(submission)).toBeUndefined();
  });
});

describe('afterwards', () => {
  it('everything adds up', async () => {
    await expectInvariants(world);
  });
});
