/**
 * Steps of lifecycles, taken once. A step is a row of `soundcloud_commands` with the id of the command that asked for
 * it, or of the alarm that caused it. A repeated step (an activity tried again, a command sent on two ways) changes
 * nothing and gives the first result.
 */
import { createHash } from 'node:crypto';

import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface Step {
  orgId: string;
  /** Any text, unique within the workflow; command ids of the API are SHA-256 already and kept as they are. */
  stepId: string;
  workflowId: string;
  /** Who takes the step: the same for all tries of one activity, another one when the step is asked for anew. */
  taker: string;
  /** Command or alarm, for the record. */
  name: string;
  payload?: unknown;
}

/** How a step that is refused is kept, and what a later {@link takeStep} of it gives. */
export interface RefusedStep {
  applied: false;
  code: string;
  reason: string;
}

/**
 * The id under which a step is stored: 64 hex digits. A person who types a command into the Temporal UI may use the
 * same id for two workflows, so the workflow is part of it.
 */
function storedStepId({ stepId, workflowId }: Step): string {
  if (/^[0-9a-f]{64}$/.test(stepId)) return stepId;
  return createHash('sha256').update(`${workflowId}\n${stepId}`).digest('hex');
}

export interface TakenStep<Result> {
  result: Result;
  /** True when somebody else took the step before: what it changed may have been changed again since. */
  repeated: boolean;
}

/**
 * Runs `work` unless the step was taken before. Concurrent tries of one step wait for each other.
 * @param work must do everything in `trx`; its result must be JSON.
 */
export async function takeStep<Result>(
  trx: Trx,
  step: Step,
  work: () => Promise<Result>,
): Promise<TakenStep<Result>> {
  const id = storedStepId(step);
  const claimed = await trx
    .insertInto('soundcloud_commands')
    .values({
      id,
      org_id: step.orgId,
      workflow_id: step.workflowId,
      name: step.name,
      payload: jsonb(step.payload ?? {}),
      status: 'applied',
    })
    .onConflict((conflict) =>
      conflict
        .columns(['org_id', 'id'])
        .doUpdateSet({ status: 'applied' })
        .where('soundcloud_commands.status', '=', 'pending'),
    )
    .returning('id')
    .executeTakeFirst();
  if (claimed === undefined) return earlierResult<Result>(trx, step, id);
  const result = await work();
  await trx
    .updateTable('soundcloud_commands')
    .set({ result: jsonb({ value: result, taker: step.taker }), resolved_at: new Date() })
    .where('org_id', '=', step.orgId)
    .where('id', '=', id)
    .execute();
  return { result, repeated: false };
}

/**
 * Writes down that a step was refused, unless it has an outcome already: an answer once given stands, whatever has
 * changed since. @returns the outcome that stands.
 */
export async function refuseStep<Result, Refusal extends RefusedStep>(
  trx: Trx,
  step: Step,
  refusal: Refusal,
): Promise<TakenStep<Result | Refusal>> {
  const id = storedStepId(step);
  const { code, reason } = refusal;
  const outcome = {
    status: 'refused',
    code,
    reason,
    resolved_at: new Date(),
    result: jsonb({ value: { applied: false, code, reason }, taker: step.taker }),
  };
  const claimed = await trx
    .insertInto('soundcloud_commands')
    .values({
      id,
      org_id: step.orgId,
      workflow_id: step.workflowId,
      name: step.name,
      payload: jsonb(step.payload ?? {}),
      ...outcome,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['org_id', 'id'])
        .doUpdateSet(outcome)
        .where('soundcloud_commands.status', '=', 'pending'),
    )
    .returning('id')
    .executeTakeFirst();
  return claimed === undefined
    ? earlierResult<Result | Refusal>(trx, step, id)
    : { result: refusal, repeated: false };
}

/** The steps of a workflow that were applied, in the order they were taken. */
export async function appliedSteps(
  trx: Trx,
  orgId: string,
  workflowId: string,
): Promise<{ name: string; payload: unknown }[]> {
  return trx
    .selectFrom('soundcloud_commands')
    .select(['name', 'payload'])
    .where('org_id', '=', orgId)
    .where('workflow_id', '=', workflowId)
    .where('status', '=', 'applied')
    .orderBy('resolved_at')
    .execute();
}

/** When the newest of the applied steps of these names was asked for, or taken if nobody noted that; real time. */
export async function newestRequest(
  trx: Trx,
  asked: { orgId: string; workflowId: string; names: readonly string[] },
): Promise<Date | null> {
  const { newest } = await trx
    .selectFrom('soundcloud_commands')
    .select(({ fn }) => fn.max<Date | null>('created_at').as('newest'))
    .where('org_id', '=', asked.orgId)
    .where('workflow_id', '=', asked.workflowId)
    .where('name', 'in', asked.names)
    .where('status', '=', 'applied')
    .executeTakeFirstOrThrow();
  return newest;
}

async function earlierResult<Result>(trx: Trx, step: Step, id: string): Promise<TakenStep<Result>> {
  const row = await trx
    .selectFrom('soundcloud_commands')
    .select('result')
    .where('org_id', '=', step.orgId)
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const { value, taker } = row.result as unknown as { value: Result; taker: string };
  return { result: value, repeated: taker !== step.taker };
}
