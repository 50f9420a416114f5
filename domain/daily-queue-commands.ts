/**
 * What ops can ask of a daily queue, and the words for a refusal. Shapes are checked here because a command arrives on
 * three ways: over HTTP, as an Update, and as a Signal typed into the Temporal UI.
 */
import { z } from 'zod';
import { isStorable } from './storable-text.js';

/** Text that ends in the database. */
const text = z.string().refine(isStorable, 'must not contain the NUL character or half of a surrogate pair');

const common = {
  commandId: text
    .min(1)
    .max(200)
    .optional()
    .describe('Makes the command apply once, however often it is sent.'),
  by: text.min(1).max(100).describe('User id of the person who acts.'),
  ifRevision: z
    .int()
    .min(1)
    .optional()
    .describe('The draft the person saw; refused when there is a newer one.'),
};
const reason = text.max(4_000);
const id = z.uuid();

export const queueCommandSchemas = {
  approve: z.object({ ...common, excludeAssignmentIds: z.array(id).max(10_000).optional() }),
  regenerate: z.object(common),
  swapAssignment: z.object({ ...common, assignmentId: id, supporterId: id, reason: reason.optional() }),
  dropAssignment: z.object({ ...common, assignmentId: id, reason: reason.optional() }),
  addAssignment: z.object({ ...common, submissionId: id, supporterId: id, reason: reason.optional() }),
} as const;

export type QueueCommandName = keyof typeof queueCommandSchemas;
export const QUEUE_COMMAND_NAMES = Object.keys(queueCommandSchemas) as QueueCommandName[];

export function isQueueCommandName(name: string): name is QueueCommandName {
  return Object.hasOwn(queueCommandSchemas, name);
}

export type QueueCommandInput<N extends QueueCommandName> = z.infer<(typeof queueCommandSchemas)[N]>;

/** A command that was read successfully and has its id. */
export type QueueCommand = {
  [N in QueueCommandName]: { name: N; commandId: string } & Omit<QueueCommandInput<N>, 'commandId'>;
}[QueueCommandName];

/** Why a command is refused. Stable: the API depends on the codes. */
export const QUEUE_REFUSALS = {
  malformed_command: 'rule',
  queue_closed: 'conflict',
  queue_already_approved: 'conflict',
  queue_changed: 'precondition',
  too_late_to_generate: 'conflict',
  too_late_to_publish: 'conflict',
  generation_failed: 'conflict',
  assignment_not_in_queue: 'rule',
  submission_not_due: 'rule',
  supporter_unknown: 'rule',
  already_in_queue: 'rule',
  pair_excluded: 'rule',
  pair_impossible: 'rule',
} as const satisfies Record<string, 'conflict' | 'rule' | 'precondition'>;

export type QueueRefusalCode = keyof typeof QUEUE_REFUSALS;

export interface QueueRefusal {
  code: QueueRefusalCode;
  reason: string;
}

export type QueueCheck = { ok: true } | ({ ok: false } & QueueRefusal);

/** Reads a command of unknown origin. Never throws: a Signal handler must not. */
export function readQueueCommand(
  name: QueueCommandName,
  input: unknown,
  fallbackId: string,
): { ok: true; command: QueueCommand } | { ok: false; code: 'malformed_command'; reason: string } {
  const result = queueCommandSchemas[name].safeParse(input);
  if (result.success) {
    const command = { ...result.data, name, commandId: result.data.commandId ?? fallbackId };
    return { ok: true, command: command as QueueCommand };
  }
  const problems = result.error.issues
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
    .join('; ');
  return { ok: false, code: 'malformed_command', reason: `The command ${name} cannot be read: ${problems}` };
}
