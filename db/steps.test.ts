import { createHash, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createDatabase, type Db, withOrg } from './client.js';
import { refuseStep, takeStep } from './steps.js';

let database: TestDatabase;
let owner: Db;
let worker: Db;
let orgId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl);
  worker = createDatabase(database.workerUrl, { max: 20 });
  const { rows } = await sql<{
    org_id: string;
  }>`select org_id from private.create_org('Steps', 'a@ops.test')`.execute(owner);
  orgId = rows[0]?.org_id ?? '';
});

afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

const step = (stepId: string, taker = 'run-1') => ({ orgId, stepId, workflowId: 'w', taker, name: 'decide' });
const stored = (id: string) =>
  owner.selectFrom('soundcloud_commands').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const hash = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a step', () => {
  it('is taken once by twenty at the same moment, and all get its result', async () => {
    let taken = 0;
    const stepId = randomUUID();
    const results = await Promise.all(
      Array.from({ length: 20 }, () =>
        withOrg(worker, orgId, (trx) =>
          takeStep(trx, step(stepId), async () => {
            taken += 1;
            return { answer: taken };
          }),
        ),
      ),
    );
    expect(taken).toBe(1);
    expect(results.map(({ result }) => result)).toEqual(Array.from({ length: 20 }, () => ({ answer: 1 })));
    expect(results.map(({ repeated }) => repeated)).not.toContain(true);
  });

  it('leaves no trace when its work fails, and can be taken again', async () => {
    const stepId = randomUUID();
    const failing = withOrg(worker, orgId, (trx) =>
      takeStep(trx, step(stepId), async () => {
        throw new Error('the database went away');
      }),
    );
    await expect(failing).rejects.toThrow('went away');
    const again = await withOrg(worker, orgId, (trx) => takeStep(trx, step(stepId), async () => 'done'));
    expect(again).toEqual({ result: 'done', repeated: false });
  });

  it('asked for anew by another run says that it is a repetition', async () => {
    const stepId = randomUUID();
    await withOrg(worker, orgId, (trx) => takeStep(trx, step(stepId), async () => 1));
    const later = await withOrg(worker, orgId, (trx) => takeStep(trx, step(stepId, 'run-2'), async () => 2));
    expect(later).toEqual({ result: 1, repeated: true });
  });

  it('turns the pending row of an API command into an applied one', async () => {
    const id = hash(randomUUID());
    await owner
      .insertInto('soundcloud_commands')
      .values({ id, org_id: orgId, workflow_id: 'w', name: 'decide', status: 'pending' })
      .execute();
    await withOrg(worker, orgId, (trx) => takeStep(trx, step(id), async () => null));
    expect(await stored(id)).toMatchObject({ status: 'applied', resolved_at: expect.any(Date) });
  });

  it('that was refused keeps its reason; one that was applied is never refused later', async () => {
    const refusedId = hash(randomUUID());
    await withOrg(worker, orgId, (trx) =>
      refuseStep(trx, step(refusedId), { applied: false, code: 'already_decided', reason: 'Too late.' }),
    );
    expect(await stored(refusedId)).toMatchObject({
      status: 'refused',
      code: 'already_decided',
      reason: 'Too late.',
    });

    const appliedId = hash(randomUUID());
    await withOrg(worker, orgId, (trx) => takeStep(trx, step(appliedId), async () => null));
    const late = await withOrg(worker, orgId, (trx) =>
      refuseStep(trx, step(appliedId), { applied: false, code: 'x', reason: 'y' }),
    );
    expect(late).toEqual({ result: null, repeated: false });
    expect(await stored(appliedId)).toMatchObject({ status: 'applied', code: null });
  });

  it('named alike in two workflows is two steps', async () => {
    const stepId = 'as a person types it';
    const take = (workflowId: string) =>
      withOrg(worker, orgId, (trx) => takeStep(trx, { ...step(stepId), workflowId }, async () => workflowId));
    expect(await take('one')).toEqual({ result: 'one', repeated: false });
    expect(await take('other')).toEqual({ result: 'other', repeated: false });
  });
});
