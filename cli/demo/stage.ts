/** What the acts of the story work with, and how a person's act is played and told. */
import { z } from 'zod';
import { DAY_MS, HOUR_MS, toBusiness, toReal } from '../../domain/calendar.js';
import type { Stack } from '../../sandbox/supervisor.js';
import type { ApiAnswer, ApiClient, CommandEnd, SendOptions } from './api-client.js';
import type { Sources, StoryRecord } from './collect.js';
import type { Network } from './network.js';
import { InVainError, until, untilBusiness } from './patience.js';
import { type Ops, type PlannedReview, reviewPlan } from './plan.js';
import type { World } from './queue-plan.js';
import type { Timeline } from './timeline.js';

const created = z.object({ id: z.uuid() });
/** Real time that something may take on a busy machine beyond its hour. */
const BUSY_REAL_MS = 60_000;

export interface StageOptions {
  stack: Stack;
  network: Network;
  sources: Sources;
  timeline: Timeline;
  /** Where each track can be found on SoundCloud, by its short name: the full address and the short link. */
  links: ReadonlyMap<string, { url: string; shortUrl: string; urn: string }>;
  /** Business time from which the days and hours of the story are counted: a midnight. */
  opening: number;
  signal: AbortSignal;
}

/** One submission of the story, once it is accepted. */
export interface Submitted {
  id: string;
  planned: PlannedReview;
}

export class Stage {
  readonly stack: Stack;
  readonly network: Network;
  readonly sources: Sources;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
  readonly record: StoryRecord & { accepted: Map<string, PlannedReview>; played: Map<string, World> };
  readonly #links: StageOptions['links'];
  readonly #opening: number;

  constructor(options: StageOptions) {
    this.stack = options.stack;
    this.network = options.network;
    this.sources = options.sources;
    this.timeline = options.timeline;
    this.signal = options.signal;
    this.#links = options.links;
    this.#opening = options.opening;
    this.record = {
      people: options.network.people,
      accepted: new Map(),
      played: new Map(),
      queueDates: [this.date(1), this.date(2), this.date(3)],
      refusals: [],
      killedWorker: null,
      outage: null,
      worldChangedAt: null,
      month: new Date(this.#opening + 3 * DAY_MS).toISOString().slice(0, 7),
    };
  }

  businessNow(): number {
    return toBusiness(this.sources.clock, Date.now());
  }

  /** Business time of a day and hour of the story: day 1, hour 0 is its opening. */
  instant(day: number, hour: number): number {
    return this.#opening + (day - 1) * DAY_MS + hour * HOUR_MS;
  }

  /** Date of a day of the story, `YYYY-MM-DD`. */
  date(day: number): string {
    return new Date(this.instant(day, 0)).toISOString().slice(0, 10);
  }

  /** Lets time pass until a day and hour of the story; returns at once when it is past. */
  async at(day: number, hour: number): Promise<void> {
    await this.untilBusiness(this.instant(day, hour));
  }

  async untilBusiness(instant: number): Promise<void> {
    await untilBusiness(this.sources.clock, instant, this.signal);
  }

  /** Waits for what must be by a business instant, with some real time more for a busy machine. */
  async by<T>(
    instant: number,
    what: string,
    probe: () => Promise<T | undefined | false>,
    hint: string,
  ): Promise<T> {
    const left = Math.max(0, toReal(this.sources.clock, instant) - Date.now());
    return until(what, probe, { signal: this.signal, withinMs: left + BUSY_REAL_MS, hint });
  }

  /** The month that begins in the story. */
  newMonth(): string {
    return this.record.month;
  }

  nameOf(submissionId: string): string | undefined {
    return this.record.accepted.get(submissionId)?.track;
  }

  planned(track: string): PlannedReview {
    const found = reviewPlan().find((planned) => planned.track === track);
    if (!found) throw new Error(`The plan has no track ${track}.`);
    return found;
  }

  submitted(track: string): Submitted {
    const found = [...this.record.accepted].find(([, planned]) => planned.track === track);
    if (!found) throw new Error(`${track} has not been submitted.`);
    return { id: found[0], planned: found[1] };
  }

  url(track: string): string {
    return this.#link(track).url;
  }

  /** What SoundCloud calls a track. */
  urn(track: string): string {
    return this.#link(track).urn;
  }

  ops(who: Ops): ApiClient {
    return this.network[who];
  }

  member(track: string): ApiClient {
    return this.network.member(this.planned(track).handle);
  }

  /** The members of some tracks submit them. */
  async submit(tracks: readonly string[], options: { shortLink?: string } = {}): Promise<void> {
    for (const track of tracks) {
      const planned = this.planned(track);
      const { url, shortUrl } = this.#link(track);
      const body = { track_url: options.shortLink === track ? shortUrl : url };
      const { id } = await this.member(track).must(created, 'POST', '/v1/submissions', body);
      this.record.accepted.set(id, planned);
      const how = options.shortLink === track ? ' (by short link)' : '';
      this.timeline.say('act', `${this.network.nameOf(planned.handle)} submits ${track}${how}.`);
    }
  }

  /** A command at an address that must be applied. @param words what the timeline says of it */
  async act(client: ApiClient, path: string, body: unknown, words: string): Promise<void> {
    this.timeline.say('act', words);
    const end = await client.command(path, body);
    if (end.status === 'applied') return;
    throw new InVainError(`POST ${path} was refused: ${end.code}. ${end.detail}`);
  }

  /** A command to a submission that must be applied. @param words what the timeline says of it */
  async command(client: ApiClient, track: string, verb: string, body: unknown, words: string): Promise<void> {
    this.timeline.say('act', words);
    this.#mustApply(track, verb, await this.sendCommand(client, track, verb, body));
  }

  sendCommand(client: ApiClient, track: string, verb: string, body: unknown): Promise<CommandEnd> {
    return client.command(`/v1/submissions/${this.submitted(track).id}/${verb}`, body);
  }

  /** Sees a command through that was sent before. */
  async seeThrough(track: string, verb: string, sent: Promise<CommandEnd>): Promise<void> {
    const end = await sent;
    this.#mustApply(track, verb, end);
    const how = end.later ? '202 first, applied later' : '200';
    this.timeline.say('system', `${track}: the ${verb} that was under way is applied (${how}).`);
  }

  /** A request that must be refused; what really came is kept for the promises. */
  async refused(
    what: string,
    expected: { status: number; code: string },
    request: { client: ApiClient; method?: string; path: string; body?: unknown } & SendOptions,
  ): Promise<void> {
    const { client, method = 'POST', path, body, ...options } = request;
    const answer: ApiAnswer = await client.send(method, path, body, options);
    const seen = { status: answer.status, code: answer.code };
    this.record.refusals.push({ what, expected, seen });
    const fits = seen.status === expected.status && seen.code === expected.code;
    this.timeline.say(
      fits ? 'act' : 'alarm',
      `${what} → ${seen.status} ${seen.code || '(no code)'}${fits ? '' : ` (${expected.status} ${expected.code} expected)`}`,
    );
  }

  #link(track: string): { url: string; shortUrl: string; urn: string } {
    const link = this.#links.get(track);
    if (!link) throw new Error(`${track} is not on SoundCloud.`);
    return link;
  }

  #mustApply(track: string, verb: string, end: CommandEnd): void {
    if (end.status === 'applied') return;
    throw new InVainError(
      `${verb} of ${track} was refused: ${end.code}. Its state was another than planned.`,
    );
  }
}
