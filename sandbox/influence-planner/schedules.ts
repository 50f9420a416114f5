/** Schedules and what became of them, kept on disk. Times are business epoch ms. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import { type Journal, openJournal } from '../journal.js';

const MINUTE_MS = 60_000;
/** When nobody names a time. */
const AUTOMATIC_DELAY_MS = 15 * MINUTE_MS;

const media = z.url({ protocol: /^https$/, hostname: /^(www\.|m\.)?soundcloud\.com$/ });

/** The body of `POST /schedule/create`, as the vendor documents it. */
export const scheduleInput = z
  .object({
    types: z.array(z.enum(['REPOST', 'UNREPOST', 'LIKE', 'COMMENT'])).min(1),
    medias: z.array(media).min(1),
    targets: z.array(z.string().min(1)).min(1),
    settings: z
      .object({
        date: z.iso.datetime({ offset: true }).optional(),
        unrepostAfterHours: z.number().positive().optional(),
        spreadBetweenAccountsMinutes: z.number().min(0).default(0),
        spreadBetweenTracksMinutes: z.number().min(0).default(0),
      })
      .prefault({}),
    comment: z.string().optional(),
    removeDuplicates: z.boolean().default(false),
    shuffle: z.boolean().default(false),
  })
  .refine((body) => !body.types.includes('COMMENT') || body.comment, 'COMMENT needs a comment.')
  .refine(
    (body) => body.comment === undefined || body.targets.length <= 3,
    'A comment takes 3 targets at most.',
  );
export type ScheduleInput = z.output<typeof scheduleInput>;

const actionRow = z.object({
  userId: z.string(),
  kind: z.enum(['REPOST', 'UNREPOST']),
  at: z.number(),
});
const scheduleRow = z.object({
  id: z.string(),
  mediaUrl: z.string(),
  createdAt: z.number(),
  actions: z.array(actionRow),
});
const outcomeRow = z.object({
  scheduleId: z.string(),
  action: z.number().int(),
  /** Null: done. */
  error: z.string().nullable(),
});
const entry = z.union([z.object({ created: scheduleRow }), z.object({ ended: outcomeRow })]);

export interface Action extends z.output<typeof actionRow> {
  /** Undefined until its time has come. */
  outcome?: { error: string | null };
}
export interface Schedule {
  id: string;
  mediaUrl: string;
  createdAt: number;
  actions: Action[];
}
export interface DueAction {
  schedule: Schedule;
  index: number;
  action: Action;
}

export class ScheduleStore {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #schedules = new Map<string, Schedule>();
  readonly #waiting = new Set<DueAction>();

  constructor(dataDir: string) {
    this.#journal = openJournal(join(dataDir, 'schedules.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  /**
   * One schedule for each media. With `removeDuplicates` a target that has the media already, or is about to, is left
   * out; when all are, the schedule that is there is the answer.
   */
  create(input: ScheduleInput, now: number): Schedule[] {
    const start =
      input.settings.date === undefined ? now + AUTOMATIC_DELAY_MS : Date.parse(input.settings.date);
    return input.medias.map((mediaUrl, place) => {
      const known = (userId: string) =>
        input.removeDuplicates ? this.#standing(mediaUrl, userId) : undefined;
      const targets = input.targets.filter((userId) => !known(userId));
      const [first = ''] = input.targets;
      const earlier = targets.length === 0 ? known(first) : undefined;
      if (earlier) return earlier;
      const begin = start + place * input.settings.spreadBetweenTracksMinutes * MINUTE_MS;
      const created = {
        id: randomUUID(),
        mediaUrl,
        createdAt: now,
        actions: targets.flatMap((userId, index) =>
          actionsOf(input, userId, begin + index * input.settings.spreadBetweenAccountsMinutes * MINUTE_MS),
        ),
      };
      this.#write({ created });
      return this.#schedules.get(created.id) as Schedule;
    });
  }

  /** What is to be done by an instant, in the order of its times. */
  due(now: number): DueAction[] {
    return [...this.#waiting]
      .filter(({ action }) => action.at <= now)
      .sort((a, b) => a.action.at - b.action.at);
  }

  /** @param error null: done. */
  end({ schedule, index }: DueAction, error: string | null): void {
    this.#write({ ended: { scheduleId: schedule.id, action: index, error } });
  }

  find(id: string): Schedule | undefined {
    return this.#schedules.get(id);
  }

  list(): Schedule[] {
    return [...this.#schedules.values()];
  }

  close(): void {
    this.#journal.close();
  }

  /** The schedule by which a target has a media reposted, or will have. */
  #standing(mediaUrl: string, userId: string): Schedule | undefined {
    return this.list().find(({ mediaUrl: known, actions }) => {
      if (known !== mediaUrl) return false;
      const own = actions.filter((action) => action.userId === userId);
      const reposts = own.some((action) => action.kind === 'REPOST' && !action.outcome?.error);
      return reposts && !own.some((action) => action.kind === 'UNREPOST' && action.outcome);
    });
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('created' in record) {
      const schedule: Schedule = {
        ...record.created,
        actions: record.created.actions.map((action) => ({ ...action })),
      };
      this.#schedules.set(schedule.id, schedule);
      schedule.actions.forEach((action, index) => {
        this.#waiting.add({ schedule, index, action });
      });
      return;
    }
    const { scheduleId, action: index, error } = record.ended;
    const action = this.#schedules.get(scheduleId)?.actions[index];
    if (!action) return;
    action.outcome = { error };
    for (const waiting of this.#waiting) if (waiting.action === action) this.#waiting.delete(waiting);
  }
}

/** Likes and comments have no effect that the product looks for, so the stand-in takes and forgets them. */
function actionsOf(input: ScheduleInput, userId: string, at: number): z.output<typeof actionRow>[] {
  const { unrepostAfterHours } = input.settings;
  const actions: z.output<typeof actionRow>[] = [];
  const reposts = input.types.includes('REPOST');
  if (reposts) actions.push({ userId, kind: 'REPOST', at });
  if (reposts && unrepostAfterHours !== undefined)
    actions.push({ userId, kind: 'UNREPOST', at: at + unrepostAfterHours * HOUR_MS });
  else if (!reposts && input.types.includes('UNREPOST')) actions.push({ userId, kind: 'UNREPOST', at });
  return actions;
}
