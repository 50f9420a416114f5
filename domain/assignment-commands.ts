/**
 * What can be asked of an assignment, and the words for a refusal. Commands come over HTTP, as an Update or a Signal
 * typed into the Temporal UI, and as a Signal from another lifecycle.
 */
import { z } from 'zod';
import { isStorable } from './storable-text.js';

const text = z.string().refine(isStorable, 'must not contain the NUL character or half of a surrogate pair');
const actor = text.min(1).max(100).describe('User id of the person who acts.');
const commandId = text.min(1).max(200).describe('Makes the command apply once, however often it is sent.');
const reason = text.min(1).max(4_000);

export const ASSIGNMENT_OUTCOMES = ['completed', 'skipped', 'failed'] as const;
export type AssignmentOutcome = (typeof ASSIGNMENT_OUTCOMES)[number];

export const assignmentCommandSchemas = {
  submitProof: z.object({ commandId: commandId.optional(), by: actor, url: text.min(1).max(2_048) }),
  skip: z.object({ commandId: commandId.optional(), by: actor, reason }),
  overrideOutcome: z.object({
    commandId: commandId.optional(),
    by: actor,
    outcome: z.enum(ASSIGNMENT_OUTCOMES),
    reason,
  }),
  scheduleReported: z.object({
    commandId: commandId.optional(),
    status: text.min(1).max(100),
    proofUrl: text.max(2_048).nullish(),
  }),
} as const;

export type AssignmentCommandName = keyof typeof assignmentCommandSchemas;
export type AssignmentCommandInput<N extends AssignmentCommandName> = z.infer<
  (typeof assignmentCommandSchemas)[N]
>;

/** A command that was read successfully and has its id. */
export type AssignmentCommand = {
  [N in AssignmentCommandName]: { name: N; commandId: string } & Omit<AssignmentCommandInput<N>, 'commandId'>;
}[AssignmentCommandName];

/** Why a command is refused. Stable: the API and integrators depend on the codes. */
export const ASSIGNMENT_REFUSALS = {
  malformed_command: 'rule',
  assignment_closed: 'conflict',
  assignment_completed: 'conflict',
  proof_too_late: 'conflict',
  proof_url_unrelated: 'rule',
} as const satisfies Record<string, 'conflict' | 'rule'>;

export type AssignmentRefusalCode = keyof typeof ASSIGNMENT_REFUSALS;
export type AssignmentCheck = { ok: true } | { ok: false; code: AssignmentRefusalCode; reason: string };

/** Reads a command of unknown origin. Never throws: a Signal handler must not. */
export function readAssignmentCommand(
  name: AssignmentCommandName,
  input: unknown,
  fallbackId: string,
): { ok: true; command: AssignmentCommand } | { ok: false; code: 'malformed_command'; reason: string } {
  const result = assignmentCommandSchemas[name].safeParse(input);
  if (result.success) {
    const command = { ...result.data, name, commandId: result.data.commandId ?? fallbackId };
    return { ok: true, command: command as AssignmentCommand };
  }
  const problems = result.error.issues
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
    .join('; ');
  return { ok: false, code: 'malformed_command', reason: `The command ${name} cannot be read: ${problems}` };
}
