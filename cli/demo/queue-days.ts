/**
 * The days of the queues: the draft that is there in the morning, what ops change in it, the approval, what becomes of
 * the reposts, and a queue that nobody approves.
 */
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import { changeSettings } from './network.js';
import { InVainError } from './patience.js';
import { bringIn, type QueuedAssignment, readQueue } from './queue-draft.js';
import {
  CUT_OFF,
  GENERATED_AT,
  GIVEN_CREDITS,
  LINKED,
  QUEUE_CASTS,
  UNREPOST_AFTER_HOURS,
  type World,
} from './queue-plan.js';
import type { Stage } from './stage.js';
import { playRepost, type Repost } from './supporters.js';

const HINT = 'Look at the workflow daily-queue of the date in the Temporal UI and at the log of the worker.';
/** All of a queue is settled by the day after tomorrow: proof, answer of ops, watch. */
const SETTLED_BY_MS = 36 * HOUR_MS;

/** Some artists have done something for the network: their tracks will get three reposts. */
export async function giveCredits(stage: Stage): Promise<void> {
  const tracks = Object.keys(QUEUE_CASTS);
  for (const track of tracks) {
    const { handle } = stage.planned(track);
    await stage
      .ops('admin')
      .must(z.unknown(), 'POST', `/v1/members/${stage.network.idOf(handle)}/credit-changes`, {
        amount: GIVEN_CREDITS,
        reason: 'Played at our label night',
      });
  }
  const names = tracks.map((track) => stage.network.nameOf(stage.planned(track).handle)).join(', ');
  stage.timeline.say('act', `Admin gives ${GIVEN_CREDITS} credits each to ${names}.`);
}

/** From the next queue on reposts come down after some hours, as planned. */
export async function planUnreposts(stage: Stage): Promise<void> {
  await changeSettings(stage.ops('admin'), { unrepost_after_hours: UNREPOST_AFTER_HOURS });
  stage.timeline.say(
    'act',
    `Admin sets: from now on reposts come down after ${UNREPOST_AFTER_HOURS} h (by default they stay).`,
  );
}

/**
 * Ops look at the draft of a day of the story, bring in whom the plan names, and approve it.
 * @param cast tracks that the plan has people for
 * @returns what becomes of its reposts; await it before the next day's end
 */
export async function approveQueue(stage: Stage, day: number, cast: readonly string[]): Promise<QueuePlay> {
  const date = stage.date(day);
  const moderator = stage.ops('moderator');
  const draft = await stage.by(
    stage.instant(day, GENERATED_AT),
    `the draft of the queue of ${date}`,
    async () => {
      const { status } = await moderator.send('GET', `/v1/queues/${date}`);
      return status === 200 && readQueue(stage, date);
    },
    HINT,
  );
  stage.timeline.say('system', `The queue of ${date} is drafted: ${draft.assignments.length} reposts.`);
  for (const track of cast) await bringIn(stage, date, track, QUEUE_CASTS[track] ?? []);
  await stage.act(moderator, `/v1/queues/${date}/approve`, {}, `Moderator approves the queue of ${date}.`);
  const { assignments } = await stage.by(
    stage.instant(day, CUT_OFF),
    `the queue of ${date} is published`,
    async () => {
      const queue = await readQueue(stage, date);
      return queue.status === 'published' && queue;
    },
    HINT,
  );
  const reposts = assignments.map((row) => repostOf(stage, row, day));
  for (const repost of reposts) tell(stage, repost);
  requireControls(reposts);
  return new QueuePlay(stage, day, reposts);
}

/** The reposts of a published queue, while they happen. */
export class QueuePlay {
  readonly #stage: Stage;
  readonly #day: number;
  readonly #played: Promise<void>[];

  constructor(stage: Stage, day: number, reposts: readonly Repost[]) {
    this.#stage = stage;
    this.#day = day;
    this.#played = reposts.map((repost) => this.#play(repost));
    // Thrown by done(); until then the story goes on.
    for (const played of this.#played) played.catch(() => {});
  }

  /** Until nobody has to act any more. @throws what went wrong */
  async done(): Promise<void> {
    await Promise.all(this.#played);
  }

  /** Until every credit has moved and the queue is closed. */
  async settled(): Promise<void> {
    await this.done();
    const { sources, timeline } = this.#stage;
    const date = this.#stage.date(this.#day);
    await this.#stage.by(
      this.#stage.instant(this.#day + 1, CUT_OFF) + SETTLED_BY_MS,
      `the queue of ${date} is settled`,
      async () => {
        const row = await sources.db
          .selectFrom('soundcloud_queues')
          .select('closed_at')
          .where('org_id', '=', sources.orgId)
          .where('date', '=', date)
          .executeTakeFirst();
        return row?.closed_at != null;
      },
      HINT,
    );
    timeline.say('system', `The queue of ${date} is settled: every hold is captured or released.`);
  }

  async #play(repost: Repost): Promise<void> {
    await playRepost(this.#stage, repost);
    if (repost.world !== 'skipped') return;
    const substitute = await this.#substituteOf(repost);
    tell(this.#stage, substitute, `steps in for ${this.#stage.network.nameOf(repost.handle)}`);
    await playRepost(this.#stage, substitute);
  }

  async #substituteOf(repost: Repost): Promise<Repost> {
    const row = await this.#stage.by(
      this.#stage.instant(this.#day, CUT_OFF),
      `somebody takes over ${repost.track} from ${repost.handle}`,
      async () => {
        const { assignments } = await readQueue(this.#stage, this.#stage.date(this.#day));
        return assignments.find((other) => other.replacement_for === repost.id);
      },
      HINT,
    );
    return repostOf(this.#stage, row, this.#day);
  }
}

/** The third morning: there is a draft, and nobody looks at it. */
export async function queueLapses(stage: Stage, day: number): Promise<void> {
  const { sources, timeline } = stage;
  const date = stage.date(day);
  await stage.by(
    stage.instant(day, CUT_OFF),
    `the queue of ${date} lapses`,
    async () => {
      const row = await sources.db
        .selectFrom('soundcloud_queues')
        .select('status')
        .where('org_id', '=', sources.orgId)
        .where('date', '=', date)
        .executeTakeFirst();
      return row?.status === 'lapsed';
    },
    HINT,
  );
  timeline.say(
    'alarm',
    `Nobody approved the queue of ${date} by noon: it lapses, and its tracks move to the next.`,
  );
}

/** By the plan; who is not in it makes the repost by hand, or has Influence Planner make it. */
function repostOf(stage: Stage, row: QueuedAssignment, day: number): Repost {
  const handle = stage.network.handleOf(row.supporter_id);
  const track = stage.nameOf(row.submission_id) ?? row.submission_id;
  const planned = QUEUE_CASTS[track]?.find((one) => one.handle === handle)?.world;
  const scheduled: World = day === 1 ? 'scheduled' : 'planned_scheduled';
  const usual = (LINKED as readonly string[]).includes(handle) ? scheduled : 'kept';
  return { id: row.id, track, handle, slotAt: Date.parse(row.slot_at), world: planned ?? usual };
}

function tell(
  { timeline, network }: Stage,
  { track, handle, slotAt, world }: Repost,
  how = 'is asked',
): void {
  const time = new Date(slotAt).toISOString().slice(11, 16);
  const name = network.nameOf(handle);
  timeline.say(
    'system',
    world === 'scheduled' || world === 'planned_scheduled'
      ? `Influence Planner is asked to repost ${track} for ${name}, whose account is linked there, slot ${time}.`
      : `${name} ${how} for ${track}, slot ${time}.`,
  );
}

/** A repost that is missing counts only beside one of the same track that is known to be later. */
function requireControls(reposts: readonly Repost[]): void {
  for (const missing of reposts.filter(({ world }) => world === 'absent' || world === 'taken_down')) {
    const later = reposts.some(
      ({ track, world, slotAt }) =>
        track === missing.track && world === 'scheduled' && slotAt > missing.slotAt,
    );
    if (later) continue;
    throw new InVainError(
      `The slot of ${missing.handle} for ${missing.track} lies after the scheduled one: nothing would show that the repost is missing. Look at GET /v1/queues of the date.`,
    );
  }
}
