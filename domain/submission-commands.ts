/**
 * What people can ask of a submission review, and the words for a refusal. The shapes are checked here because a
 * command arrives on three ways: over HTTP, as an Update, and as a Signal typed into the Temporal UI.
 */
import { z } from 'zod';
import { isStorable } from './storable-text.js';

/** Text that ends in the database. */
const text = z.string().refine(isStorable, 'must not contain the NUL character or half of a surrogate pair');

const actor = text.min(1).max(100).describe('User id of the person who acts.');
const commandId = text.min(1).max(200).describe('Makes the command apply once, however often it is sent.');

export const decideCommandSchema = z.object({
  commandId: commandId.optional(),
  by: actor,
  action: z.enum(['approve', 'reject', 'pend', 'flag']),
  reason: text.max(4_000).optional(),
  family: text.min(1).max(100).optional(),
  needLiveLink: z.boolean().optional(),
});

export const assignOwnerCommandSchema = z.object({
  commandId: commandId.optional(),
  by: actor,
  ownerId: z.uuid().nullable(),
});

export const withdrawCommandSchema = z.object({ commandId: commandId.optional(), by: actor });

export const provideLiveLinkCommandSchema = z.object({
  commandId: commandId.optional(),
  by: actor,
  url: text.min(1).max(2_000),
});

export const keepWaitingCommandSchema = z.object({ commandId: commandId.optional(), by: actor });

export const closeSupportCommandSchema = z.object({
  commandId: commandId.optional(),
  by: actor,
  reason: text.max(4_000),
});

export const submissionCommandSchemas = {
  decide: decideCommandSchema,
  assignOwner: assignOwnerCommandSchema,
  withdraw: withdrawCommandSchema,
  provideLiveLink: provideLiveLinkCommandSchema,
  keepWaiting: keepWaitingCommandSchema,
  closeSupport: closeSupportCommandSchema,
} as const;

export type SubmissionCommandName = keyof typeof submissionCommandSchemas;
export type SubmissionCommandInput<N extends SubmissionCommandName> = z.infer<
  (typeof submissionCommandSchemas)[N]
>;

/** A command that was read successfully and has its id. */
export type SubmissionCommand = {
  [N in SubmissionCommandName]: { name: N; commandId: string } & Omit<SubmissionCommandInput<N>, 'commandId'>;
}[SubmissionCommandName];

/** Why a command is refused. Stable: the API and integrators depend on the codes. */
export const SUBMISSION_REFUSALS = {
  malformed_command: 'rule',
  submission_closed: 'conflict',
  already_decided: 'conflict',
  waiting_for_live_link: 'conflict',
  not_waiting_for_live_link: 'conflict',
  queue_published: 'conflict',
  not_approved: 'conflict',
  not_asked: 'conflict',
  assignments_open: 'conflict',
  reason_too_short: 'rule',
  reason_required: 'rule',
  family_required: 'rule',
  family_unknown: 'rule',
  owner_not_ops: 'rule',
  live_link_not_a_track: 'rule',
} as const satisfies Record<string, 'conflict' | 'rule'>;

export type SubmissionRefusalCode = keyof typeof SUBMISSION_REFUSALS;

export type RuleCheck = { ok: true } | { ok: false; code: SubmissionRefusalCode; reason: string };

/** Reads a command of unknown origin. Never throws: a Signal handler must not. */
export function readSubmissionCommand(
  name: SubmissionCommandName,
  input: unknown,
  fallbackId: string,
): { ok: true; command: SubmissionCommand } | { ok: false; code: 'malformed_command'; reason: string } {
  const result = submissionCommandSchemas[name].safeParse(input);
  if (result.success) {
    const command = { ...result.data, name, commandId: result.data.commandId ?? fallbackId };
    return { ok: true, command: command as SubmissionCommand };
  }
  const problems = result.error.issues
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
    .join('; ');
  return { ok: false, code: 'malformed_command', reason: `The command ${name} cannot be read: ${problems}` };
}
