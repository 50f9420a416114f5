/**
 * Sends a person's command to a lifecycle (api.md, "commands"). First as an Update, whose answer says applied or
 * refused; when no worker takes it in time, as the Signal of the same name, and the answer is "later". Both carry the
 * same command id, so the lifecycle applies it once, whatever arrives.
 */

import { createHash } from 'node:crypto';
import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  ApplicationFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import type { LifecycleStart } from '../outbox/lifecycles.js';
import type { AppDeps } from './deps.js';
import { isProblemCode, Problem } from './problems.js';

export interface Command {
  /** 64 hex digits, see {@link commandId}. */
  id: string;
  /** Name of the Update and of the Signal. */
  name: string;
  /** The one argument; carries the id as `commandId`. */
  payload: Record<string, unknown>;
  /** The lifecycle it is for, and how to start it when the relay has not yet. */
  lifecycle: LifecycleStart;
}

/** What the caller of this module must do about rows. */
export interface CommandRows {
  /** Throws the Problem of a closed row. Asked whenever the workflow turns out not to run. */
  requireOpen(): Promise<void>;
  /** Writes the row of `soundcloud_commands` that /v1/commands/{id} shows, before the signal goes out. */
  noteRequest(): Promise<{ status: string; code: string | null; reason: string | null }>;
}

/** `applied`: done, the database shows it. `sent`: a signal is on its way. */
export type CommandOutcome = 'applied' | 'sent';

/** A short while for Temporal itself to take a signal; no worker is needed for that. */
const SIGNAL_TIMEOUT_MS = 5_000;
/** gRPC status codes that mean "not there", not "no". */
const AWAY = new Set([4, 8, 13, 14]);

/** The same for the same caller, request and Idempotency-Key. @returns SHA-256 as hex */
export function commandId(caller: string, method: string, path: string, key: string): string {
  return createHash('sha256').update([caller, method, path, key].join('\n')).digest('hex');
}

/**
 * @throws Problem the lifecycle's refusal (409 or 422), submission_closed, temporal_unavailable, workflow_unavailable
 */
export async function sendCommand(
  deps: Pick<AppDeps, 'temporal' | 'taskQueue' | 'commandTimeoutMs'>,
  command: Command,
  rows: CommandRows,
): Promise<CommandOutcome> {
  const attempt = await update(deps, command, false);
  if (attempt === 'applied') return 'applied';
  if (attempt === 'no_worker') return signal(deps, command, rows, false);
  // Not running: closed, or not started yet because the relay is behind.
  await rows.requireOpen();
  const second = await update(deps, command, true);
  if (second === 'applied') return 'applied';
  if (second === 'no_worker') return signal(deps, command, rows, true);
  // It ended between our look at the row and now, or it failed; the reconciler starts a failed one again.
  await rows.requireOpen();
  throw new Problem('workflow_unavailable');
}

async function update(
  deps: Pick<AppDeps, 'temporal' | 'taskQueue' | 'commandTimeoutMs'>,
  command: Command,
  start: boolean,
): Promise<'applied' | 'no_worker' | 'missing'> {
  const { workflow } = deps.temporal;
  const options = { args: [command.payload] as [unknown], updateId: command.id };
  try {
    await deps.temporal.withDeadline(Date.now() + deps.commandTimeoutMs, () =>
      start
        ? workflow.executeUpdateWithStart(command.name, {
            ...options,
            startWorkflowOperation: startOperation(deps.taskQueue, command.lifecycle),
          })
        : workflow.getHandle(command.lifecycle.workflowId).executeUpdate(command.name, options),
    );
    return 'applied';
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return 'no_worker';
    if (isMissing(error)) return 'missing';
    throw commandProblem(error);
  }
}

async function signal(
  deps: Pick<AppDeps, 'temporal' | 'taskQueue'>,
  command: Command,
  rows: CommandRows,
  start: boolean,
): Promise<CommandOutcome> {
  const noted = await rows.noteRequest();
  if (noted.status === 'applied') return 'applied';
  if (noted.status === 'refused') throw refusal(noted.code ?? '', noted.reason ?? '');
  const { workflow } = deps.temporal;
  const { lifecycle } = command;
  try {
    await deps.temporal.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, async () => {
      if (start) {
        const { options } = startOperation(deps.taskQueue, lifecycle);
        await workflow.signalWithStart(lifecycle.workflowType, {
          ...options,
          signal: command.name,
          signalArgs: [command.payload],
        });
      } else {
        await workflow.getHandle(lifecycle.workflowId).signal(command.name, command.payload);
      }
    });
    return 'sent';
  } catch (error) {
    if (!isMissing(error)) throw commandProblem(error);
    await rows.requireOpen();
    throw new Problem('workflow_unavailable', { cause: error });
  }
}

/** Only for a row that was read as open: the default reuse policy would review a closed submission again. */
function startOperation(taskQueue: string, lifecycle: LifecycleStart) {
  return new WithStartWorkflowOperation(lifecycle.workflowType, {
    workflowId: lifecycle.workflowId,
    taskQueue,
    args: lifecycle.args,
    typedSearchAttributes: lifecycle.typedSearchAttributes,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    staticSummary: lifecycle.summary,
    staticDetails: lifecycle.details,
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError || error instanceof WorkflowExecutionAlreadyStartedError;
}

function commandProblem(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const { cause } = error;
    if (cause instanceof ApplicationFailure && isProblemCode(cause.type ?? '')) {
      return refusal(cause.type ?? '', cause.message);
    }
    // The handler broke off, or the workflow ended while it worked: the outcome is not known.
    return new Problem('workflow_unavailable', { cause: error });
  }
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (isGrpcServiceError(cause) && AWAY.has(cause.code))
      return new Problem('temporal_unavailable', { cause: error });
  }
  return error;
}

function refusal(code: string, reason: string): Problem {
  return isProblemCode(code)
    ? new Problem(code, { detail: reason })
    : new Problem('rule_violated', { detail: reason });
}
