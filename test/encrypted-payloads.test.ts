/** With a payload key Temporal keeps no text of ours, also of what went wrong; without one it shows what it always did. */
import { randomBytes } from 'node:crypto';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../config/config.js';
import { createLogger } from '../config/log.js';
import { createTemporalClient } from '../config/temporal.js';
import { monthOf } from '../domain/calendar.js';
import { type RunningWorker, startWorker } from '../worker.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
  monthlyCreditGrantState,
} from '../workflows/monthly-credit-grant/contract.js';
import { submissionUpdates } from '../workflows/submission-review/contract.js';
import { eventually, reviewFacts } from './support/review-facts.js';
import { createWorld, type World } from './support/world.js';

let world: World;

beforeAll(async () => {
  world = await createWorld();
});

afterAll(async () => {
  await world?.remove();
});

/** A worker and a client under a configuration, while `work` runs. */
async function running(config: Config, work: (client: Client) => Promise<void>): Promise<void> {
  let worker: RunningWorker | undefined;
  const { client, connection } = createTemporalClient(config);
  try {
    worker = await startWorker(config, createLogger('test', 'silent'));
    await work(client);
  } finally {
    await worker?.stop();
    await connection.close();
  }
}

/** Everything that Temporal keeps of a workflow, as bytes in which plain text can be found. */
async function kept(workflowId: string): Promise<string> {
  const handle = world.client.workflow.getHandle(workflowId);
  const history = proto.temporal.api.history.v1.History.encode(await handle.fetchHistory()).finish();
  return Buffer.from(history).toString('utf8');
}

function startGrant(client: Client, config: Config, month: string) {
  return client.workflow.start(MONTHLY_CREDIT_GRANT_TYPE, {
    workflowId: `${monthlyCreditGrantId(world.orgId, month)}:${config.SPARK_TASK_QUEUE}`,
    taskQueue: config.SPARK_TASK_QUEUE,
    args: [{ orgId: world.orgId, month }],
  });
}

/** A grant that fails for good, with its activity and its workflow. */
const failingGrant = (client: Client, config: Config) => startGrant(client, config, '2100-01');
const WHY = 'has not begun';
const failure = { cause: { cause: { type: 'not_begun', message: expect.stringContaining(WHY) } } };

describe('without a payload key', () => {
  it('a failure stands in Temporal as it is, where operators read it', async () => {
    await running(world.config, async (client) => {
      const handle = await failingGrant(client, world.config);
      await expect(handle.result()).rejects.toMatchObject(failure);
      const text = await kept(handle.workflowId);
      expect(text).toContain(WHY);
      expect(text).not.toContain('Encoded failure');
    });
  });
});

const REASON = 'This track was already supported by our network twice in the last month.';

describe('with a payload key', () => {
  const keyed = (): Config => ({
    ...world.config,
    SPARK_TASK_QUEUE: `${world.config.SPARK_TASK_QUEUE}-keyed`,
    SPARK_PAYLOAD_KEY: randomBytes(32).toString('base64'),
  });

  it('what went wrong is read by whoever has the key, and by nobody else', async () => {
    const config = keyed();
    await running(config, async (client) => {
      const handle = await failingGrant(client, config);
      await expect(handle.result()).rejects.toMatchObject(failure);
      const keyless = world.client.workflow.getHandle(handle.workflowId);
      await expect(keyless.result()).rejects.toThrow('Unknown encoding: binary/encrypted');
      // Failed in an activity, then in the workflow, which has a converter of its own in its bundle.
      const { events } = await keyless.fetchHistory();
      const failures = (events ?? []).flatMap(
        (event) =>
          event.activityTaskFailedEventAttributes?.failure ??
          event.workflowExecutionFailedEventAttributes?.failure ??
          [],
      );
      expect(failures).toMatchObject([
        { message: 'Encoded failure', applicationFailureInfo: { type: 'not_begun' } },
        { message: 'Encoded failure', cause: { message: 'Encoded failure' } },
      ]);
      const text = await kept(handle.workflowId);
      expect(text).toContain('Encoded failure');
      expect(text).not.toContain(WHY);
      expect(text).not.toContain('activities/');
    });
  });

  it('trouble that is tried again shows in the inbox, and not in Temporal', async () => {
    const config = keyed();
    await world.addMember();
    await sql`update soundcloud_repost_credit_wallet set last_granted_at = '2026-01-01T00:00:00Z'`.execute(
      world.db,
    );
    await sql`create function public.broken_ledger() returns trigger language plpgsql as $$
      begin raise exception 'the disk is full'; end $$`.execute(world.db);
    await sql`create trigger broken before insert on soundcloud_repost_credit_ledger
      for each row execute function public.broken_ledger()`.execute(world.db);
    await running(config, async (client) => {
      const handle = await startGrant(client, config, monthOf(Date.now(), 'UTC'));
      const view = await eventually('the trouble', async () => {
        const state = await handle.query(monthlyCreditGrantState);
        return state.trouble !== null && state;
      });
      expect(view.trouble?.reason).toContain('the disk is full');
      const wait = await eventually('the wait', () =>
        world.db
          .selectFrom('soundcloud_waits')
          .select('how_to_act')
          .where('workflow_id', '=', handle.workflowId)
          .where('stage', '=', 'trouble')
          .executeTakeFirst(),
      );
      expect(wait.how_to_act).toContain('the disk is full');
      const text = await kept(handle.workflowId);
      expect(text).toContain('Encoded failure');
      expect(text).not.toContain('the disk is full');
      await handle.terminate('the test is over');
    });
    await sql`drop trigger broken on soundcloud_repost_credit_ledger`.execute(world.db);
  });

  it('a refused command says why, and a review goes its way', async () => {
    const config = keyed();
    await running(config, async (client) => {
      const submission = await world.submit({ title: 'A Recognisable Title' });
      const facts = reviewFacts(world);
      await eventually('the track', async () => (await facts.row(submission)).track_urn !== null);
      const handle = client.workflow.getHandle(submission.workflowId);
      const reject = (reason: string) =>
        handle.executeUpdate(submissionUpdates.decide, {
          args: [{ by: world.adminId, action: 'reject', reason }],
        });
      await expect(reject('too short')).rejects.toMatchObject({ cause: { type: 'reason_too_short' } });
      await reject(REASON);
      await handle.result();
      expect(await facts.row(submission)).toMatchObject({ status: 'rejected' });
      const text = await kept(submission.workflowId);
      expect(text).not.toContain('A Recognisable Title');
      expect(text).not.toContain(REASON);
    });
  });
});
