/** What the tests of the queue build their inputs from, and a checker that knows the rules but none of our code. */
import { DateTime } from 'luxon';
import { DAY_MS, HOUR_MS } from './calendar.js';
import type {
  QueueDraft,
  QueueInput,
  QueueSettings,
  QueueSubmission,
  QueueSupporter,
} from './queue-generation.js';
import { DEFAULT_SETTINGS, queueSettings } from './settings.js';
import { tierOf } from './tiers.js';

export const DATE = '2026-05-04';
/** 06:00 in Berlin. */
export const NOW = Date.UTC(2026, 4, 4, 4);
export const SETTINGS = queueSettings(DEFAULT_SETTINGS);

/** A member nothing speaks against, but for the changes. */
export function supporter(member_id: string, change: Partial<QueueSupporter> = {}): QueueSupporter {
  const followers = change.followers ?? 10_000;
  return {
    member_id,
    account_id: `account-${member_id}`,
    handle: `handle-${member_id}`,
    followers,
    reach_factor: null,
    tier: tierOf(followers),
    credits_cap: 60,
    status: 'active',
    account_status: 'linked',
    last_activity_at: NOW - DAY_MS,
    genres: [{ family: 'Electronic', subgenre: 'House' }],
    avoided_handles: [],
    completed: 0,
    failed: 0,
    last_assignment_at: null,
    ...change,
  };
}

/** A first queue of a house track of the member, but for the changes. */
export function submission(
  id: string,
  member_id: string | null,
  change: Partial<QueueSubmission> = {},
): QueueSubmission {
  return {
    id,
    member_id,
    track_url: `https://soundcloud.com/handle-${member_id}/${id}`,
    family: 'Electronic',
    subgenres: ['House'],
    handles: [`handle-${member_id}`],
    avoided_handles: [],
    support_date: DATE,
    submitted_at: NOW - HOUR_MS,
    shift_count: 0,
    demand: { kind: 'first' },
    asked_supporters: [],
    ...change,
  };
}

/** An empty day, but for the changes. @param credits spendable by member. */
export function queueInput(
  change: Partial<QueueInput> = {},
  settings: Partial<QueueSettings> = {},
  credits: Record<string, number> = {},
): QueueInput {
  return {
    org_id: 'org',
    date: DATE,
    timezone: 'Europe/Berlin',
    now: NOW,
    earliest: NOW,
    settings: { ...SETTINGS, ...settings },
    submissions: [],
    supporters: [],
    balances: Object.entries(credits).map(([member_id, spendable]) => ({ member_id, spendable })),
    taken: [],
    history: [],
    ...change,
  };
}

/** `submission<supporter` of every assignment, sorted. */
export const pairsOf = (draft: Pick<QueueDraft, 'assignments'>) =>
  draft.assignments.map((a) => `${a.submission_id}<${a.supporter_id}`).sort();

/** Reach, price, affinity and reliability of a pair, written down a second time straight from rules.md. */
export function facts(s: QueueSubmission, m: QueueSupporter, { settings }: QueueInput) {
  const reach = Math.floor(
    (m.followers * Math.round((m.reach_factor ?? settings.default_reach_factor) * 1_000)) / 1_000,
  );
  const price = Math.max(1, Math.min(Math.ceil(reach / settings.reach_per_credit), m.credits_cap));
  let affinity = 0;
  for (const genre of m.genres) {
    if (genre.family === s.family) {
      const shared = genre.subgenre !== null && s.subgenres.includes(genre.subgenre);
      affinity = Math.max(affinity, shared ? 1 : 0.7);
    } else affinity = Math.max(affinity, settings.adjacency_matrix[s.family ?? '']?.[genre.family] ?? 0);
  }
  const reliability = Math.round(((m.completed + 4) / (m.completed + m.failed + 5)) * 1e6) / 1e6;
  return { reach, price, affinity, reliability };
}

/** Whether the rules allow a pair, the rest of the queue, money and slots apart. */
export function allowed(s: QueueSubmission, m: QueueSupporter, input: QueueInput): boolean {
  const { settings, now, history } = input;
  const within = (at: number, days: number) => now - at < days * DAY_MS;
  const artistOf = (url: string) => url.split('/')[3] ?? '';
  const { reach, affinity } = facts(s, m, input);
  if (m.member_id === s.member_id || s.handles.includes(m.handle ?? '')) return false;
  if (m.status !== 'active' || m.account_id === null || m.account_status !== 'linked') return false;
  if (m.last_activity_at === null || now - m.last_activity_at >= 90 * DAY_MS) return false;
  if (s.avoided_handles.includes(m.handle ?? '')) return false;
  if (m.avoided_handles.some((handle) => s.handles.includes(handle))) return false;
  if (affinity <= 0 || reach <= 0 || s.support_date > input.date) return false;
  if (s.asked_supporters.includes(m.member_id)) return false;
  for (const past of history) {
    const theirs = past.artist_id !== null && past.artist_id === s.member_id;
    if (past.supporter_id === m.member_id) {
      if (past.track_url === s.track_url && within(past.at, settings.track_cooldown_days)) return false;
      const artist = theirs || s.handles.includes(artistOf(past.track_url));
      if (artist && within(past.at, settings.artist_cooldown_days)) return false;
      if (theirs && within(past.at, settings.pair_cooldown_days)) return false;
    }
    const back = past.supporter_id === s.member_id && past.artist_id === m.member_id;
    if (back && within(past.at, settings.pair_cooldown_days)) return false;
  }
  return true;
}

interface Pair {
  s: QueueSubmission;
  m: QueueSupporter;
}

/** Whether two pairs may stand in one queue. */
export function compatible(a: Pair, b: Pair, { settings }: QueueInput): boolean {
  const sameMember = a.s.member_id !== null && a.s.member_id === b.s.member_id;
  if (a.m.member_id === b.m.member_id) {
    if (a.s.id === b.s.id) return false;
    if (settings.track_cooldown_days > 0 && a.s.track_url === b.s.track_url) return false;
    const sameArtist = sameMember || a.s.handles.some((handle) => b.s.handles.includes(handle));
    if (settings.artist_cooldown_days > 0 && sameArtist) return false;
    if (settings.pair_cooldown_days > 0 && sameMember) return false;
  }
  const mutual = a.s.member_id === b.m.member_id && b.s.member_id === a.m.member_id;
  return !(mutual && settings.pair_cooldown_days > 0);
}

/** Everything in which a draft breaks a rule, as sentences. */
export function violations(draft: Pick<QueueDraft, 'assignments'>, input: QueueInput): string[] {
  const { settings, timezone, date } = input;
  const wrong: string[] = [];
  const pairs = draft.assignments.map((a) => ({
    a,
    s: input.submissions.find((s) => s.id === a.submission_id) as QueueSubmission,
    m: input.supporters.find((m) => m.member_id === a.supporter_id) as QueueSupporter,
  }));
  for (const { a, s, m } of pairs) {
    const name = `${a.submission_id}<${a.supporter_id}`;
    const rules = facts(s, m, input);
    if (!allowed(s, m, input)) wrong.push(`${name} is excluded`);
    if (a.credits !== rules.price || a.reach !== rules.reach)
      wrong.push(`${name} has another price or reach`);
    if (a.affinity !== rules.affinity || a.reliability !== rules.reliability)
      wrong.push(`${name} has another score`);
    if (a.account_id !== m.account_id || a.handle !== m.handle) wrong.push(`${name} has another account`);
    const local = DateTime.fromMillis(a.slot_at, { zone: timezone });
    const time = local.toFormat('HH:mm');
    if (local.toFormat('yyyy-MM-dd') !== date) wrong.push(`${name} is on another date`);
    if (time < settings.window_start || time >= settings.window_end) wrong.push(`${name} is at ${time}`);
    if (a.slot_at < input.earliest) wrong.push(`${name} is too early`);
    for (const other of pairs) {
      if (other.a !== a && !compatible({ s, m }, other, input))
        wrong.push(`${name} and ${other.a.submission_id}`);
    }
  }
  const positions = draft.assignments.map((a) => a.position);
  if (positions.some((position, n) => position !== n + 1)) wrong.push('positions are not 1..n');
  for (const { member_id } of input.supporters) {
    const own = pairs.filter(({ a }) => a.supporter_id === member_id).map(({ a }) => a.slot_at);
    if (own.length === 0) continue;
    const taken = input.taken.filter((slot) => slot.member_id === member_id).map((slot) => slot.at);
    const all = [...own, ...taken].sort((x, y) => x - y);
    const onDate = all.filter(
      (at) => DateTime.fromMillis(at, { zone: timezone }).toFormat('yyyy-MM-dd') === date,
    );
    if (onDate.length > settings.accounts_daily_cap)
      wrong.push(`${member_id} has ${onDate.length} on the date`);
    own.forEach((at, n) => {
      for (const other of [...own.filter((_, k) => k !== n), ...taken]) {
        if (Math.abs(at - other) < settings.spacing_minutes * 60_000) wrong.push(`${member_id} is too close`);
      }
      for (const start of all.filter((t) => t <= at && at < t + settings.rolling_hours * HOUR_MS)) {
        const count = all.filter((t) => t >= start && t < start + settings.rolling_hours * HOUR_MS).length;
        if (count > settings.rolling_cap) wrong.push(`${member_id} has ${count} in a row`);
      }
    });
  }
  for (const member of new Set(pairs.map(({ s }) => s.member_id))) {
    const spent = pairs.filter(({ s }) => s.member_id === member).reduce((sum, { a }) => sum + a.credits, 0);
    const balance = input.balances.find((row) => row.member_id === member)?.spendable ?? 0;
    if (spent > balance) wrong.push(`${member} spends ${spent} of ${balance}`);
  }
  for (const s of input.submissions) {
    const count = pairs.filter((pair) => pair.s.id === s.id).length;
    if (s.demand.kind === 'replacement' && count > s.demand.count) wrong.push(`${s.id} has ${count}`);
  }
  return wrong;
}

/** Σ affinity × reliability × y of pairs, y ≤ reach, Σ y ≤ target per submission. */
export function valueOfPairs(pairs: readonly Pair[], input: QueueInput): number {
  let value = 0;
  for (const s of input.submissions) {
    const balance = input.balances.find((row) => row.member_id === s.member_id)?.spendable ?? 0;
    let left = balance * input.settings.reach_per_credit;
    const own = pairs.filter((pair) => pair.s.id === s.id).map(({ m }) => facts(s, m, input));
    own.sort((a, b) => b.affinity * b.reliability - a.affinity * a.reliability);
    for (const { affinity, reliability, reach } of own) {
      value += affinity * reliability * Math.min(left, reach);
      left -= Math.min(left, reach);
    }
  }
  return value;
}
