/**
 * Watches database and stand-ins while the story runs, and tells the timeline what really happened there: the script
 * says what people do, the witness what the system did. Keeps every wait it saw, for the promises.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Sources, seenWait, text } from './collect.js';
import type { SeenWait } from './facts.js';
import type { Ops } from './plan.js';
import type { Mark, Timeline } from './timeline.js';
import { describeRepost, describeWait, grouped, listed } from './witness-words.js';

const LOOK_MS = 300;
/** Rows of transactions that were slow to commit turn up below those seen before. */
const LOOK_BACK_ROWS = 50;
const LOOK_BACK_MS = 15_000;

export interface WitnessOptions {
  sources: Sources;
  timeline: Timeline;
  people: Record<Ops, string>;
  /** Short name of a submission; undefined while the story does not know it yet: it is looked at again then. */
  nameOf(submissionId: string): string | undefined;
  nameOfMember(memberId: string): string;
}

export class Witness {
  readonly waits = new Map<string, SeenWait[]>();
  readonly flags = new Map<string, string[]>();
  readonly #options: WitnessOptions;
  readonly #known = new Set<string>();
  readonly #shown = new Map<string, string>();
  readonly #reposts = new Map<string, string>();
  #lastSeq = 0;
  #lastNotice = new Date(0);
  #slackSeen = 0;
  #stopping = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  start(): void {
    const { signal } = this.#stopping;
    this.#watching = (async () => {
      while (!signal.aborted) {
        await this.look();
        await delay(LOOK_MS, undefined, { signal }).catch(() => {});
      }
    })();
    // Reported by stop(); without this the process would end at once.
    this.#watching.catch(() => {});
  }

  /** @throws what went wrong while watching. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  /** One look at everything. */
  async look(): Promise<void> {
    await this.#events();
    await this.#flags();
    await this.#proposals();
    await this.#waits();
    await this.#mails();
    await this.#notifications();
    await this.#slack();
  }

  #say(mark: Mark, line: string): void {
    this.#options.timeline.say(mark, line);
  }

  /** True once for each id. */
  #isNews(id: string): boolean {
    if (this.#known.has(id)) return false;
    this.#known.add(id);
    return true;
  }

  async #events(): Promise<void> {
    const { sources, nameOf } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_events')
      .select(['id', 'seq', 'type', 'entity_id', 'data'])
      .where('org_id', '=', sources.orgId)
      .where('seq', '>', this.#lastSeq - LOOK_BACK_ROWS)
      .orderBy('seq')
      .execute();
    const reposts: { name: string; line: string; mark: Mark }[] = [];
    for (const row of rows) {
      const { type, data } = row;
      const repost = describeRepost(type, text(data, 'reason'));
      const name = repost === null ? nameOf(row.entity_id) : await this.#nameOfRepost(row.entity_id);
      if (name === undefined || !this.#isNews(row.id)) continue;
      this.#lastSeq = Math.max(this.#lastSeq, row.seq);
      if (repost !== null) reposts.push({ name, ...repost });
      const status = text(data, 'status');
      // Flags are told with their reason.
      if (type === 'submission.decided' && status !== 'qa_flag') this.#say('system', `${name} is ${status}.`);
      if (type === 'submission.withdrawn') this.#say('system', `${name} is withdrawn.`);
      if (type === 'submission.supported') this.#say('system', `${name} was supported; its review ends.`);
      if (type === 'submission.shifted') this.#say('system', `${name} moves to the next queue.`);
      if (type === 'submission.breached') {
        const { times } = data as unknown as { times: number };
        this.#say('alarm', `${name}: the promise to decide is broken (alarm ${times}).`);
      }
    }
    for (const { line, names } of grouped(reposts)) {
      const { mark = 'system' } = reposts.find((repost) => repost.line === line) ?? {};
      this.#say(mark, `${listed(names)}: ${line}`);
    }
  }

  /** `Undertow by Velvet Harbor`, with who makes the repost where the supporter does not. */
  async #nameOfRepost(assignmentId: string): Promise<string | undefined> {
    const known = this.#reposts.get(assignmentId);
    if (known !== undefined) return known;
    const { sources, nameOf, nameOfMember } = this.#options;
    const row = await sources.db
      .selectFrom('soundcloud_queue_assignments as assignment')
      .select((select) => [
        'assignment.submission_id',
        'assignment.supporter_id',
        select
          .exists(
            select
              .selectFrom('soundcloud_schedules as item')
              .select('item.id')
              .whereRef('item.assignment_id', '=', 'assignment.id')
              .where('item.status', 'in', ['scheduled', 'completed']),
          )
          .as('scheduled'),
      ])
      .where('assignment.org_id', '=', sources.orgId)
      .where('assignment.id', '=', assignmentId)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const maker = row.scheduled ? ' (made by Influence Planner)' : '';
    const name = `${nameOf(row.submission_id) ?? row.submission_id} by ${nameOfMember(row.supporter_id)}${maker}`;
    this.#reposts.set(assignmentId, name);
    return name;
  }

  async #flags(): Promise<void> {
    const { sources, nameOf } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_submissions')
      .select(['id', 'qa_reason'])
      .where('org_id', '=', sources.orgId)
      .where('status', '=', 'qa_flag')
      .execute();
    for (const { id, qa_reason: reason } of rows) {
      const name = nameOf(id);
      const flags = this.flags.get(id) ?? [];
      if (name === undefined || reason === null || flags.includes(reason)) continue;
      this.flags.set(id, [...flags, reason]);
      this.#say('system', `${name} is flagged: ${reason}`);
    }
  }

  async #proposals(): Promise<void> {
    const { sources, nameOf } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_target_proposals')
      .select(['id', 'parent_id', 'proposed_targets', 'total_capacity'])
      .where('org_id', '=', sources.orgId)
      .orderBy('created_at')
      .execute();
    const first: string[] = [];
    const again: string[] = [];
    for (const row of rows) {
      const name = nameOf(row.parent_id);
      if (name === undefined || !this.#isNews(row.id)) continue;
      const targets = Array.isArray(row.proposed_targets) ? row.proposed_targets.length : 0;
      const built = `${name} (${targets} × repost, reach ${row.total_capacity})`;
      (this.#isNews(`targets ${row.parent_id}`) ? first : again).push(built);
    }
    if (first.length > 0) this.#say('system', `targets proposed: ${listed(first)}`);
    if (again.length > 0) this.#say('system', `a day old, proposed anew: ${listed(again)}`);
  }

  async #waits(): Promise<void> {
    const { sources, nameOf } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_waits')
      .selectAll()
      .where('org_id', '=', sources.orgId)
      .where('entity_type', '=', 'submission')
      .orderBy('since')
      .execute();
    const news: { name: string; line: string }[] = [];
    for (const row of rows) {
      const name = nameOf(row.entity_id);
      if (name === undefined) continue;
      const wait = seenWait(row);
      const list = this.waits.get(row.entity_id) ?? [];
      if (JSON.stringify(list.at(-1)) !== JSON.stringify(wait)) list.push(wait);
      this.waits.set(row.entity_id, list);
      const line = describeWait(wait, row.who_can_act);
      if (this.#shown.get(row.entity_id) === line) continue;
      this.#shown.set(row.entity_id, line);
      news.push({ name, line });
    }
    for (const { line, names } of grouped(news)) this.#say('waits', `${listed(names)}: ${line}`);
    for (const entityId of [...this.#shown.keys()]) {
      if (rows.some((row) => row.entity_id === entityId)) continue;
      this.#shown.delete(entityId);
      this.#say('system', `${nameOf(entityId) ?? entityId}: its review is over; nobody has to act any more.`);
    }
  }

  async #mails(): Promise<void> {
    const { sources, nameOf } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_email_logs')
      .select(['id', 'template_name', 'related_object_id', 'status'])
      .where('org_id', '=', sources.orgId)
      .where('status', '!=', 'pending')
      .orderBy('created_at')
      .execute();
    const news: { name: string; line: string }[] = [];
    for (const row of rows) {
      const name = nameOf(row.related_object_id ?? '');
      if (name === undefined || !this.#isNews(row.id)) continue;
      const what = row.template_name.replaceAll('_', ' ');
      news.push({ name, line: row.status === 'failed' ? `mail "${what}" failed` : `mail "${what}"` });
    }
    for (const { line, names } of grouped(news))
      this.#say('system', `${line} to the ${names.length === 1 ? 'member' : 'members'} of ${listed(names)}`);
  }

  async #notifications(): Promise<void> {
    const { sources, nameOf, people } = this.#options;
    const rows = await sources.db
      .selectFrom('soundcloud_notifications')
      .select(['id', 'user_id', 'title', 'type', 'metadata', 'created_at'])
      .where('org_id', '=', sources.orgId)
      .where('created_at', '>', new Date(this.#lastNotice.getTime() - LOOK_BACK_MS))
      .orderBy('created_at')
      .execute();
    const roleOf = (userId: string) =>
      userId === people.admin ? 'admin' : userId === people.moderator ? 'moderator' : 'member';
    const told = new Map<string, { roles: Set<string>; names: Set<string>; alarm: boolean }>();
    for (const row of rows) {
      const about = text(row.metadata, 'submission_id');
      const name = about === null ? '' : nameOf(about);
      if (name === undefined || !this.#isNews(row.id)) continue;
      this.#lastNotice = row.created_at;
      const entry = told.get(row.title) ?? { roles: new Set(), names: new Set(), alarm: false };
      entry.roles.add(roleOf(row.user_id));
      if (name !== '') entry.names.add(name);
      entry.alarm ||= row.type === 'warning' || row.type === 'error';
      told.set(row.title, entry);
    }
    for (const [title, { roles, names, alarm }] of told) {
      const about = names.size > 0 ? `: ${listed([...names])}` : '';
      this.#say(alarm ? 'alarm' : 'system', `told ${[...roles].sort().join(' and ')}: "${title}"${about}`);
    }
  }

  async #slack(): Promise<void> {
    const messages = await this.#options.sources.sandbox.slackMessages();
    for (const message of messages.slice(this.#slackSeen)) {
      this.#say('alarm', `Slack: ${message.text.replaceAll('*', '').replaceAll('\n', ' | ')}`);
    }
    this.#slackSeen = messages.length;
  }
}
