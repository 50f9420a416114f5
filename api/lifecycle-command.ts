/**
 * A person's command to a lifecycle, from the request to the answer: once only, audited, answered with the row as it is
 * afterwards (200) or with the command that waits for a worker (202). The routes of each noun say what is theirs.
 */
import type { z } from 'zod';
import { findCommand, requestCommand, withdrawCommand } from '../db/commands.js';
import { lifecycleOf } from '../outbox/lifecycles.js';
import { audit } from './audit.js';
import { callerKey } from './caller.js';
import { commandJson, commandSchema } from './commands.js';
import { callerOf } from './middleware/authenticate.js';
import { toProblem } from './middleware/errors.js';
import type { Answer, AnswerSpec, LongContext } from './route.js';
import { asLogin, type Scope } from './scope.js';
import { commandId, sendCommand } from './send-command.js';

/** The row a command is for, read in the caller's scope. */
export interface CommandTarget {
  entityId: string;
  /** What the workflow id is built from where it is not the row's id: a queue's date. */
  entityKey: string | null;
}

export interface LifecycleCommand {
  entityType: string;
  /** Name of the Update and of the Signal; the audit trail says `<entityType>.<name>`. */
  name: string;
  /** The workflow's words for the body; `by` and `commandId` are added. */
  payload: Record<string, unknown>;
  /** Written down before it is sent: it counts from that moment, whenever its lifecycle finds it. */
  countsWhenRequested?: boolean;
  /**
   * Reads the row, at first and again whenever its workflow turns out not to run.
   * @throws Problem not_found, or what a closed row answers.
   */
  requireOpen(scope: Scope): Promise<CommandTarget>;
  /** The row as it is after the command was applied; also for a caller who lost that answer, so it may be closed. */
  answer(scope: Scope): Promise<Answer<unknown>>;
}

/** The two answers of a command's route. @param schema of the row it answers with. */
export function commandAnswers(schema: z.ZodType, what: string): Record<number, AnswerSpec> {
  return {
    200: { description: `Applied: the ${what} as it is now.`, schema },
    202: {
      description: 'No worker answered in time: it is applied or refused later, as the command says.',
      schema: commandSchema,
      headers: { Location: 'Address of the command.' },
    },
  };
}

/** @throws Problem of `requireOpen`, the lifecycle's refusal, temporal_unavailable, workflow_unavailable */
export async function runCommand(
  context: LongContext<unknown, unknown, unknown>,
  command: LifecycleCommand,
): Promise<Answer<unknown>> {
  const { request, deps, inScope, idempotencyKey } = context;
  const { entityType, name, payload } = command;
  const caller = callerOf(request);
  const by = caller.kind === 'person' ? caller.userId : callerKey(caller);
  const id = commandId(callerKey(caller), request.method, request.path, idempotencyKey);
  const full = { ...payload, by, commandId: id };
  const find = () => inScope((scope) => asLogin(scope, (trx) => findCommand(trx, scope.orgId, id)));
  const applied = async () => ({ status: 200, ...(await inScope((scope) => command.answer(scope))) });

  // A command that was applied may have closed the row; its caller, who lost the answer, gets it again.
  const done = await find();
  if (done?.status === 'applied') return applied();
  const { orgId, entityId, entityKey } = await inScope(async (scope) => ({
    orgId: scope.orgId,
    ...(await command.requireOpen(scope)),
  }));
  const lifecycle = lifecycleOf({ entityType, orgId, entityId, entityKey });
  if (lifecycle === undefined) throw new Error(`A ${entityType} has no lifecycle.`);
  const record = (outcome: string) =>
    inScope((scope) =>
      audit(context, scope, {
        action: `${entityType}.${name}`,
        entityType,
        entityId,
        commandId: id,
        reason: typeof payload.reason === 'string' ? payload.reason : undefined,
        details: { ...payload, outcome },
      }),
    );
  const noteRequest = () =>
    inScope((scope) =>
      asLogin(scope, (trx) =>
        requestCommand(trx, { orgId, id, workflowId: lifecycle.workflowId, name, payload: full }),
      ),
    );
  /** @returns whether it was applied before it could be taken back */
  const withdraw = async () => {
    await inScope((scope) => asLogin(scope, (trx) => withdrawCommand(trx, orgId, id)));
    return (await find())?.status === 'applied';
  };
  if (command.countsWhenRequested) await noteRequest();
  try {
    const outcome = await sendCommand(
      deps,
      { id, name, payload: full, lifecycle },
      {
        requireOpen: async () => {
          await inScope((scope) => command.requireOpen(scope));
        },
        noteRequest,
      },
    );
    await record(outcome);
    if (outcome === 'applied') return applied();
    const row = await find();
    return {
      status: 202,
      headers: { Location: `/v1/commands/${id}` },
      ...(row !== undefined && { body: commandJson(row) }),
    };
  } catch (error) {
    if (command.countsWhenRequested) {
      // The caller is told that it was not taken, so it must not count; unless it did before this.
      const counted = await withdraw().catch((failure: unknown) => {
        deps.log.error(
          { err: failure, command_id: id },
          'A command that was answered with an error could not be taken back; it counts if its lifecycle finds it.',
        );
        return false;
      });
      if (counted) {
        await record('applied');
        return applied();
      }
    }
    const problem = toProblem(error);
    if ([409, 412, 422].includes(problem.status)) await record(`refused: ${problem.code}`);
    throw error;
  }
}
