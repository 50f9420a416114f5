/** What the starter says of workflows when Temporal does not: over a line that a test can hold. */
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createReconcilerActivities, type ReconcilerReport } from '../activities/reconciler.js';
import { checkWorkflows } from '../cli/doctor/temporal.js';
import { type HeldLine, openHeldLine } from '../test/chaos/support/held-line.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type World } from '../test/support/world.js';
import { createStarter, type Starter } from './starter.js';

let world: World;
let line: HeldLine;
let connection: Connection;
let starter: Starter;
/** How often a workflow was inspected. */
let inspected: number;

beforeAll(async () => {
  world = await createWorld();
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  connection = await Connection.connect({ address: line.address });
  const overLine = createStarter(new Client({ connection }), world.config.SPARK_TASK_QUEUE, {
    // Long enough for a machine that is busy.
    deadlineMs: 2_000,
  });
  starter = {
    ...overLine,
    inspect(id) {
      inspected += 1;
      return overLine.inspect(id);
    },
  };
});

beforeEach(() => {
  inspected = 0;
});

afterAll(async () => {
  await connection?.close();
  await line?.close();
  await world?.remove();
});

const lifecycleFor = (entityId: string) => {
  const row = { entityType: 'submission', orgId: world.orgId, entityId, entityKey: null };
  const lifecycle = starter.lifecycleOf(row);
  if (lifecycle === undefined) throw new Error('submissions have a lifecycle');
  return { row, lifecycle };
};

describe('inspecting a workflow', () => {
  it('ends when Temporal does not answer: nothing is known of it then, and all is told again afterwards', async () => {
    const submission = await world.submit({ unstarted: true });
    const { lifecycle } = lifecycleFor(submission.id);
    expect(await starter.inspect(lifecycle.workflowId)).toBe('missing');
    await starter.start(lifecycle);
    expect(await starter.inspect(lifecycle.workflowId)).toBe('running');

    line.hold();
    expect(await starter.inspect(lifecycle.workflowId)).toBe('unknown');
    expect(await starter.answers()).toBe(false);
    line.cut();
    await eventually('the new connection', () => starter.answers());
    expect(await starter.inspect(lifecycle.workflowId)).toBe('running');
    expect(await starter.answers()).toBe(true);
  });

  it('of many is given up by reconciler and doctor, which start nothing and say so', async () => {
    const member = await world.addMember();
    await sql`update soundcloud_members set monthly_submission_limit = 100 where id = ${member.id}`.execute(
      world.db,
    );
    await sql`insert into soundcloud_submissions (org_id, member_id, track_url, submitted_at)
      select ${world.orgId}, ${member.id}, 'https://soundcloud.com/nobody/' || n, private.business_now()
      from generate_series(1, 40) as n`.execute(world.db);
    const { reconcile } = createReconcilerActivities({ db: world.db, scheduled: [], starter });
    const run = async () => (await new MockActivityEnvironment().run(reconcile)) as ReconcilerReport;
    const rows = await world.db
      .selectFrom('soundcloud_submissions')
      .select('id')
      .where('member_id', '=', member.id)
      .execute();
    const doctor = () =>
      checkWorkflows(
        starter,
        rows.map(({ id }) => lifecycleFor(id).row),
        world.config,
        true,
      );

    line.hold();
    expect(await run()).toMatchObject({ unfinished: true, started: 0, restarted: 0, troubled: 10 });
    expect(inspected).toBe(10);
    expect(await doctor()).toEqual([
      {
        area: 'workflows',
        problem: expect.stringMatching(/^Temporal did not say in time .* and 11 more\.$/),
        repair: expect.stringContaining('spark doctor'),
      },
    ]);
    line.cut();
    await eventually('the new connection', () => starter.answers());
    expect(await run()).toMatchObject({ unfinished: false, troubled: 0, started: 40 });
    expect(await doctor()).toEqual([]);
  });
});
