/** The relay against a real outbox and a real Temporal server. */
import { Client, Connection, ServiceError } from '@temporalio/client';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../config/log.js';
import { createDatabase, type Db } from '../db/client.js';
import { freePort } from '../sandbox/ports.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type Submission, type World } from '../test/support/world.js';
import { noOrgSchedules } from './org-schedules.js';
import { RelayStalled, relayPage, startRelay } from './relay.js';
import { createStarter, type Starter } from './starter.js';

const log = createLogger('test', 'silent');

let world: World;
let worker: Db;
let starter: Starter;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 10 });
  starter = createStarter(world.client, world.config.SPARK_TASK_QUEUE);
});

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

// Events of making the org and its members start nothing and are out of the way.
beforeEach(async () => {
  await sql`update public.soundcloud_events set relayed_at = now() where relayed_at is null`.execute(
    world.db,
  );
});

const waiting = async () =>
  world.db
    .selectFrom('soundcloud_events')
    .selectAll()
    .where('relayed_at', 'is', null)
    .orderBy('seq')
    .execute();

/** A starter whose server refuses or is away for some rows. */
const failingFor = (fails: (entityId: string) => boolean): Starter => ({
  ...starter,
  handOver: (handover) =>
    fails(handover.lifecycle.entityId)
      ? Promise.reject(new Error('the server said no'))
      : starter.handOver(handover),
});

describe('the relay', () => {
  it('starts what events ask for and marks them done; events without a lifecycle are just done', async () => {
    const submission = await world.submit();
    expect((await waiting()).length).toBeGreaterThan(0);
    while ((await relayPage(worker, starter, log)) > 0);
    expect(await waiting()).toEqual([]);
    expect(await starter.inspect(submission.workflowId)).toBe('running');
  });

  it('puts an event that cannot be handed over back for later, and holds none behind it up', async () => {
    const [bad, good] = [await world.submit(), await world.submit()];
    await relayPage(
      worker,
      failingFor((id) => id === bad.id),
      log,
    );
    expect(await starter.inspect(good.workflowId)).toBe('running');
    expect(await waiting()).toEqual([
      expect.objectContaining({ entity_id: bad.id, relay_attempts: 1, relay_error: 'the server said no' }),
    ]);
    await eventually('the second try', async () => (await relayPage(worker, starter, log)) === 1);
    expect(await starter.inspect(bad.workflowId)).toBe('running');
  });

  /** A starter whose server answers everything it is handed with a gRPC code. */
  const answering = (code: number): Starter => ({
    ...starter,
    handOver: () =>
      Promise.reject(
        new ServiceError('Failed to start the workflow', {
          cause: Object.assign(new Error('from the server'), { code }),
        }),
      ),
  });
  const attemptsAt = async (submission: Submission) =>
    (await waiting())
      .filter((row) => row.entity_id === submission.id)
      .map(({ relay_attempts }) => relay_attempts);

  it.each([14, 4])(
    'leaves everything as it was while the server is away: code %i',
    async (code) => {
      const submission = await world.submit();
      const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}` });
      const { answers } = createStarter(new Client({ connection }), world.config.SPARK_TASK_QUEUE);
      const away = relayPage(worker, { ...answering(code), answers }, log);
      await expect(away).rejects.toBeInstanceOf(RelayStalled);
      expect(await attemptsAt(submission)).toEqual([0]);
      await connection.close();
    },
    30_000,
  );

  it.each([4, 8, 13])(
    'counts a failure with code %i against the event when the server answers',
    async (code) => {
      const submission = await world.submit();
      expect(await relayPage(worker, answering(code), log)).toBeGreaterThan(0);
      expect(await attemptsAt(submission)).toEqual([1]);
    },
  );

  describe('two events of one row', () => {
    /** Two proofs that a supporter wrote, the second before the first was handed over. */
    async function writeProofs(): Promise<string> {
      const { rows } = await sql<{ id: string }>`
        with row as (select gen_random_uuid() as id)
        insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at)
        select ${world.orgId}, 'assignment.proof_written', 'assignment', row.id, jsonb_build_object('proof_url', n), now()
        from row, generate_series(1, 2) as n order by n returning entity_id as id`.execute(world.db);
      return rows[0]?.id ?? '';
    }
    const urlOf = (signal: { input: object } | undefined) =>
      (signal?.input as { url?: unknown } | undefined)?.url;

    it('arrive in their order, also with several relays', async () => {
      const id = await writeProofs();
      const arrived: unknown[] = [];
      let [begin, end] = [() => {}, () => {}];
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const slow: Starter = {
        ...starter,
        async handOver({ lifecycle, signal }) {
          if (lifecycle.entityId !== id) return;
          if (urlOf(signal) === 1) {
            begin();
            await ended;
          }
          arrived.push(urlOf(signal));
        },
      };
      const one = relayPage(worker, slow, log);
      await begun;
      expect(await relayPage(worker, slow, log)).toBe(0);
      end();
      expect(await one).toBe(1);
      expect(await relayPage(worker, slow, log)).toBe(1);
      expect(arrived).toEqual([1, 2]);
    });

    it('the second waits while the first cannot be handed over, but not for ever', async () => {
      const id = await writeProofs();
      const arrived: unknown[] = [];
      const refusing: Starter = {
        ...starter,
        async handOver({ lifecycle, signal }) {
          if (lifecycle.entityId !== id) return;
          if (urlOf(signal) === 1) throw new Error('the server said no');
          arrived.push(urlOf(signal));
        },
      };
      expect(await relayPage(worker, refusing, log)).toBe(1);
      expect(await relayPage(worker, refusing, log)).toBe(0);
      await sql`update public.soundcloud_events set relay_attempts = 8 where entity_id = ${id}
        and data ->> 'proof_url' = '1'`.execute(world.db);
      await relayPage(worker, refusing, log);
      expect(arrived).toEqual([2]);
    });
  });

  it('shares the work with other relays: every event is handed over once', async () => {
    const member = await world.addMember();
    await world.db
      .updateTable('soundcloud_members')
      .set({ monthly_submission_limit: 100 })
      .where('id', '=', member.id)
      .execute();
    const submissions = [];
    for (let n = 0; n < 60; n += 1) {
      submissions.push(
        await world.submit({ member, trackUrl: `https://soundcloud.com/${member.handle}/n-${n}` }),
      );
    }
    const started: string[] = [];
    const counting: Starter = {
      ...starter,
      handOver: (handover) => {
        started.push(handover.lifecycle.entityId);
        return starter.handOver(handover);
      },
    };
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while ((await relayPage(worker, counting, log)) > 0);
      }),
    );
    // A relay that found all rows locked went home early; what it left is taken by the others.
    while ((await relayPage(worker, counting, log)) > 0);
    expect(started.sort()).toEqual(submissions.map((submission) => submission.id).sort());
    expect(await waiting()).toEqual([]);
  });

  it('wakes by notification long before its poll, and stops when it is told to', async () => {
    const relay = startRelay({
      db: worker,
      databaseUrl: world.database.workerUrl,
      starter,
      scheduler: noOrgSchedules,
      log,
    });
    const submission = await world.submit();
    await eventually(
      'the start',
      async () => (await starter.inspect(submission.workflowId)) === 'running',
      10_000,
    );
    await relay.stop();
    const late = await world.submit();
    expect((await waiting()).some((row) => row.entity_id === late.id)).toBe(true);
  });
});
