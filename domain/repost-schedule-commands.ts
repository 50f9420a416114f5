/** What may be told to a repost's schedule, and why it may be refused. */
import { z } from 'zod';

const text = z.string().trim();
const actor = text.min(1).max(100);
const commandId = text.min(1).max(200);
const given = { commandId: commandId.optional(), by: actor };

export const scheduleCommandSchemas = {
  /** Unsent: over. Sent: ops take it out of the vendor's calendar. `by` is `system` for a lifecycle. */
  cancel: z.object({ ...given, reason: text.min(1).max(1_000) }),
  /** Ops took it out of the vendor's calendar, or saw that it is not there. */
  confirmCancelled: z.object(given),
  /** Ops looked whether a request whose answer was lost arrived. */
  answerUnknown: z.object({ ...given, sent: z.boolean(), scheduleId: text.min(1).max(200).optional() }),
  /** The vendor's webhook, signature checked. */
  plannerReported: z.object({
    commandId: commandId.optional(),
    status: z.enum(['completed', 'failed', 'unreposted']),
    scheduleId: text.min(1).max(200).nullish(),
    calendarUrl: text.max(2_000).nullish(),
    proofUrl: text.max(2_000).nullish(),
    error: text.max(1_000).nullish(),
    /** Business ms. */
    executedAt: z.number().int().nullish(),
    receiptId: z.uuid().nullish(),
  }),
} as const;

export type ScheduleCommandName = keyof typeof scheduleCommandSchemas;
export type ScheduleCommandInput<N extends ScheduleCommandName> = z.infer<(typeof scheduleCommandSchemas)[N]>;

/** A command that was read successfully and has its id. */
export type ScheduleCommand = {
  [N in ScheduleCommandName]: { name: N; commandId: string } & Omit<ScheduleCommandInput<N>, 'commandId'>;
}[ScheduleCommandName];

/** Why a command is refused. Stable: the API depends on the codes. */
export const SCHEDULE_REFUSALS = {
  malformed_command: 'rule',
  schedule_closed: 'conflict',
  schedule_being_cancelled: 'conflict',
  schedule_not_being_cancelled: 'conflict',
  schedule_not_unknown: 'conflict',
  schedule_not_sent: 'conflict',
} as const satisfies Record<string, 'conflict' | 'rule'>;

export type ScheduleRefusalCode = keyof typeof SCHEDULE_REFUSALS;

export type ScheduleCheck = { ok: true } | { ok: false; code: ScheduleRefusalCode; reason: string };

/** Reads a command of unknown origin. Never throws: a Signal handler must not. */
export function readScheduleCommand(
  name: ScheduleCommandName,
  input: unknown,
  fallbackId: string,
): { ok: true; command: ScheduleCommand } | { ok: false; code: 'malformed_command'; reason: string } {
  const result = scheduleCommandSchemas[name].safeParse(input);
  if (result.success) {
    const command = { ...result.data, name, commandId: result.data.commandId ?? fallbackId };
    return { ok: true, command: command as ScheduleCommand };
  }
  const problems = result.error.issues
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
    .join('; ');
  return { ok: false, code: 'malformed_command', reason: `The command ${name} cannot be read: ${problems}` };
}
