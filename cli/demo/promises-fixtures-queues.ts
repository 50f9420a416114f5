/** Facts of two queues that went out and one that lapsed, as they are when everything went well. */
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import type { DemoFacts, MailFact } from './facts.js';
import { reviewPlan } from './plan.js';
import type { CheckFact, QueueFact, RepostFact } from './queue-facts.js';
import { QUEUE_CASTS, QUEUE_ENDS, UNREPOST_AFTER_HOURS, WATCH_HOURS, type World } from './queue-plan.js';

const MINUTE_MS = 60_000;
const FIRST_DAY = Date.parse('2026-03-02T00:00:00Z');
/** Hours of a day at which the queue is published, and of its slots. */
const PUBLISHED_AT = 11;
const SLOT_AT = 12;
const SUBSTITUTE = 'distant-foxes';

/** Which queue serves which track. */
const SERVED: readonly (readonly string[])[] = [['Undertow', 'Northern Signal'], ['Glass Kites']];

export const QUEUE_DATES: readonly [string, string, string] = [dateOf(0), dateOf(1), dateOf(2)];

/** Business time at which the queue of a track is published; null: none serves it. */
export function servedAt(track: string): number | null {
  const day = SERVED.findIndex((tracks) => tracks.includes(track));
  return day < 0 ? null : publishedAt(day);
}

/** Fresh facts at each call: they may be changed. */
export function goodQueueFacts(
  moderator: string,
): Pick<DemoFacts, 'queues' | 'reposts' | 'queueDates' | 'strayReposts' | 'pendingCommands'> {
  const reposts = SERVED.flatMap((tracks, day) =>
    tracks.flatMap((track) => repostsOf(track, day, moderator)),
  );
  return {
    queues: QUEUE_DATES.map((date, day) =>
      day < 2 ? publishedQueue(date, day, moderator, reposts) : lapsedQueue(date, day),
    ),
    reposts,
    queueDates: QUEUE_DATES,
    strayReposts: [],
    pendingCommands: 0,
  };
}

/** Credits a track's reposts cost, and a supporter's brought. */
export function costOf(reposts: readonly RepostFact[], which: (repost: RepostFact) => boolean): number {
  return reposts
    .filter((repost) => which(repost) && repost.status === 'completed')
    .reduce((sum, repost) => sum + repost.credits, 0);
}

function publishedQueue(
  date: string,
  day: number,
  moderator: string,
  reposts: readonly RepostFact[],
): QueueFact {
  const own = reposts.filter((repost) => repost.date === date);
  const settledAt = publishedAt(day) + 2 * DAY_MS;
  return {
    date,
    status: 'published',
    approvedBy: moderator,
    approvedAt: publishedAt(day),
    approveBy: publishedAt(day) + HOUR_MS,
    publishedAt: publishedAt(day),
    settledAt,
    closedAt: settledAt,
    filledSlots: own.length,
    approved: own
      .filter((repost) => repost.replacementFor === null)
      .map((repost) => `${repost.submissionId} ${repost.supporterId}`),
    dropped: [],
    refilled: [],
    events: ['queue.drafted', 'queue.approved', 'queue.published', 'queue.settled'],
    told: [`The queue of ${date} is out`],
    shifted: [],
    workflow: 'COMPLETED',
  };
}

function lapsedQueue(date: string, day: number): QueueFact {
  const cutOff = publishedAt(day) + HOUR_MS;
  return {
    date,
    status: 'lapsed',
    approvedBy: null,
    approvedAt: null,
    approveBy: cutOff,
    publishedAt: null,
    settledAt: null,
    closedAt: cutOff + MINUTE_MS,
    filledSlots: 0,
    approved: [],
    dropped: [],
    refilled: [],
    events: ['queue.drafted', 'queue.lapsed'],
    told: [`The queue of ${date} lapsed`],
    shifted: [{ track: 'First Light', reason: `The queue of ${date} was not approved in time.` }],
    workflow: 'COMPLETED',
  };
}

function repostsOf(track: string, day: number, moderator: string): RepostFact[] {
  return (QUEUE_CASTS[track] ?? []).flatMap(({ handle, world }) => {
    const repost = repostOf({ track, day, handle, world, moderator });
    if (world !== 'skipped') return [repost];
    const substitute = repostOf({ track, day, handle: SUBSTITUTE, world: 'kept', moderator });
    return [
      repost,
      {
        ...substitute,
        replacementFor: repost.id,
        publishedAt: repost.settledAt,
        events: substitute.events.map((event) =>
          event.type === 'assignment.published' ? { ...event, at: repost.settledAt ?? 0 } : event,
        ),
      },
    ];
  });
}

function repostOf(given: {
  track: string;
  day: number;
  handle: string;
  world: World;
  moderator: string;
}): RepostFact {
  const { track, day, handle, world, moderator } = given;
  const artistId = reviewPlan().find((planned) => planned.track === track)?.handle ?? '';
  const slotAt = FIRST_DAY + day * DAY_MS + SLOT_AT * HOUR_MS;
  const { status, reason, hold } = QUEUE_ENDS[world];
  const completedAt = completionOf(world, slotAt);
  const settledAt = settlementOf(world, { slotAt, completedAt, publishedAt: publishedAt(day) });
  const scheduled = world === 'scheduled' || world === 'planned_scheduled';
  const ended = {
    completed: 'assignment.completed',
    skipped: 'assignment.skipped',
    failed: world === 'taken_down' ? 'assignment.unreposted' : 'assignment.failed',
  }[status];
  return {
    id: `${track} ${handle}`,
    date: dateOf(day),
    track,
    submissionId: `id-${artistId}`,
    artistId,
    supporterId: handle,
    handle,
    world,
    status,
    reason: reason ?? null,
    provisional: false,
    slotAt,
    publishedAt: publishedAt(day),
    completedAt,
    settledAt,
    replacementFor: null,
    credits: 1,
    holds: [{ status: hold, credits: 1 }],
    earned: hold === 'captured' ? [{ credits: 1, forfeited: 0 }] : [],
    checks: checksOf(world, slotAt),
    events: [
      { type: 'assignment.published', at: publishedAt(day) },
      { type: ended, at: settledAt },
      { type: 'assignment.settled', at: settledAt },
    ],
    tasks: world === 'hidden' ? [{ status: 'done', outcome: 'completed', by: moderator }] : [],
    schedule: scheduled ? 'completed' : null,
    mails: mailsOf(world),
    workflow: { status: 'COMPLETED', runs: 1 },
  };
}

function completionOf(world: World, slotAt: number): number | null {
  if (world === 'absent' || world === 'skipped') return null;
  return world === 'hidden' ? slotAt + 25 * HOUR_MS : slotAt + MINUTE_MS;
}

function settlementOf(
  world: World,
  at: { slotAt: number; completedAt: number | null; publishedAt: number },
): number {
  if (world === 'skipped') return at.publishedAt + MINUTE_MS;
  if (world === 'absent') return at.slotAt + 25 * HOUR_MS;
  return (at.completedAt ?? 0) + WATCH_HOURS * HOUR_MS;
}

function checksOf(world: World, slotAt: number): CheckFact[] {
  const look = (phase: string, verdict: string, hours: number, control = false): CheckFact => ({
    phase,
    source: 'user_reposts',
    verdict,
    control,
    at: slotAt + Math.round(hours * 60) * MINUTE_MS,
  });
  const missing = (phase: string, from: number) =>
    [0, 1, 2].map((n) => look(phase, 'absent', from + n / 6, true));
  const seen = look('proof', 'seen', 0.1);
  switch (world) {
    case 'scheduled':
      return [{ ...seen, source: 'scheduler' }];
    case 'planned_scheduled':
      return [{ ...seen, source: 'scheduler' }, look('watch', 'absent', UNREPOST_AFTER_HOURS + 1)];
    case 'planned':
      return [seen, look('watch', 'absent', UNREPOST_AFTER_HOURS + 1)];
    case 'kept':
      return [seen, look('watch', 'seen', WATCH_HOURS)];
    case 'taken_down':
      return [seen, look('watch', 'absent', 3), ...missing('watch', 6)];
    case 'absent':
      return missing('proof', 24);
    case 'hidden':
      return [
        look('proof', 'inconclusive', 0.1),
        look('proof', 'inconclusive', 24),
        look('watch', 'seen', 30),
      ];
    case 'skipped':
      return [];
  }
}

function mailsOf(world: World): MailFact[] {
  const templates = ['assignment_published', ...(world === 'absent' ? ['proof_reminder'] : [])];
  return templates.map((template) => ({ template, status: 'sent', arrived: 1 }));
}

function publishedAt(day: number): number {
  return FIRST_DAY + day * DAY_MS + PUBLISHED_AT * HOUR_MS;
}

function dateOf(day: number): string {
  return new Date(FIRST_DAY + day * DAY_MS).toISOString().slice(0, 10);
}
