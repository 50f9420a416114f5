/** The look at the accounts' SoundCloud profiles: followers, tiers, and whether the profile is still there. */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import {
  applyFollowerSync,
  type ConnectionRow,
  forgetPlanner,
  lockAccountsAndWallets,
  lockConnections,
  profilesDue,
} from '../db/account-health.js';
import { tally } from '../db/account-sweeps.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { emitEvent } from '../db/events.js';
import { loadSettings } from '../db/settings.js';
import { failuresAfter, isPlausibleCount } from '../domain/account-health.js';
import type { ProfileProgress } from '../domain/account-sweep.js';
import { dateOf } from '../domain/calendar.js';
import type { OrgSettings } from '../domain/settings.js';
import { stepTier } from '../domain/tiers.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort, SoundCloudUser } from '../providers/soundcloud/port.js';
import { type SweepMoment, settleConnections } from './account-connections.js';
import { withLifesign } from './lifesign.js';

/** Accounts of a page: one request where all are known by URN. */
const PAGE_SIZE = 50;
/** After so many pages the workflow is told, which then shows it and may continue as new. */
const PAGES_PER_CALL = 20;
/** So many accounts in a row without an answer, and none with one, say that SoundCloud is away. */
const AWAY_AFTER = 3;
/** A page of so many profiles of which none exists is one of SoundCloud's lies. */
const SUSPICIOUS_PAGE = 10;

/** How far a part of the sweep came, and why it stopped; `stopped` null: go on. Times are real, epoch ms. */
export interface SweepStep<Progress> {
  progress: Progress;
  stopped:
    | null
    /** The product runs without credentials. */
    | { kind: 'not_configured' }
    /** Our own request limit. */
    | { kind: 'later'; notBefore: number }
    /** The provider does not answer, or refuses the credentials. */
    | { kind: 'away'; reason: string; notBefore: number | null };
}

/** What was heard of one profile. */
type Profile =
  | { kind: 'found'; user: SoundCloudUser }
  | { kind: 'gone' }
  | { kind: 'unreadable'; reason: string }
  | { kind: 'unanswered' };

export function createAccountProfileActivities({ db, soundcloud }: { db: Db; soundcloud: SoundCloudPort }) {
  return {
    /**
     * Looks at some pages of profiles from the cursor on; each is written in one transaction before the next is asked
     * for. What is away is no failure: it is returned with how far it came.
     */
    async sweepProfiles(
      input: SweepMoment & { progress: ProfileProgress },
    ): Promise<SweepStep<ProfileProgress>> {
      const { orgId, date } = input;
      let progress: ProfileProgress = activityInfo().heartbeatDetails ?? input.progress;
      if (!soundcloud.configured) return { progress, stopped: { kind: 'not_configured' } };
      const signal = cancellationSignal();
      return withLifesign(
        async () => {
          try {
            for (let pages = 0; pages < PAGES_PER_CALL && !progress.done; pages += 1) {
              signal.throwIfAborted();
              const page = { date, after: progress.after, limit: PAGE_SIZE };
              const rows = await withOrg(db, orgId, (trx) => profilesDue(trx, orgId, page));
              const profiles = await readProfiles(soundcloud, rows, signal, progress.again);
              await withOrg(db, orgId, (trx) => writePage(trx, input, profiles));
              const unanswered = [...profiles.values()].filter(({ kind }) => kind === 'unanswered').length;
              progress = {
                ...progress,
                after: rows.at(-1)?.account_id ?? progress.after,
                unanswered: progress.unanswered + unanswered,
                done: rows.length < PAGE_SIZE,
              };
              heartbeat(progress);
            }
            return { progress, stopped: null };
          } catch (error) {
            return { progress, stopped: whyStopped(error) };
          }
        },
        () => progress,
      );
    },
  };
}

/** @throws the error itself when it says nothing of the provider. */
export function whyStopped(error: unknown): Exclude<SweepStep<never>['stopped'], null> {
  if (error instanceof RequestNotYetAllowed) return { kind: 'later', notBefore: error.notBefore };
  if (!(error instanceof ProviderError)) throw error;
  const { retryAfterMs } = error.details;
  const notBefore = retryAfterMs === undefined ? null : Date.now() + retryAfterMs;
  return { kind: 'away', reason: error.message, notBefore };
}

/**
 * Profiles of a page by account. Asked for together; where that fails one by one, so that one account's trouble is not
 * that of all.
 * @param again the second look: those asked about are in trouble of their own.
 * @throws ProviderError when it is SoundCloud that is away; RequestNotYetAllowed.
 */
async function readProfiles(
  soundcloud: SoundCloudPort,
  rows: readonly ConnectionRow[],
  signal: AbortSignal,
  again: boolean,
): Promise<Map<string, Profile>> {
  const known = new Map(rows.map((row) => [row.account_id, urnOf(row)]));
  const urns = [...known.values()].filter((urn) => urn !== null);
  const users = await together(soundcloud, urns, signal);
  const profiles = new Map<string, Profile>();
  const count = (...kinds: Profile['kind'][]) =>
    [...profiles.values()].filter(({ kind }) => kinds.includes(kind)).length;
  for (const row of rows) {
    const urn = known.get(row.account_id) ?? null;
    const user = urn === null ? undefined : users?.get(urn);
    const profile =
      users !== null && urn !== null
        ? foundOrGone(user)
        : await alone(() => ask(soundcloud, row, urn, signal));
    profiles.set(row.account_id, profile.kind === 'silent' ? { kind: 'unanswered' } : profile);
    const mute = !again && count('unanswered') >= AWAY_AFTER && count('found', 'gone') === 0;
    if (profile.kind === 'silent' && mute) throw profile.error;
  }
  if (again) return profiles;
  // Accounts that were in trouble before say nothing of the provider.
  const healthy = rows.filter((row) => row.error_count === 0).length;
  if (healthy > 1 && count('found', 'gone') === 0) throw noneReadable(profiles);
  if (healthy >= SUSPICIOUS_PAGE && count('found') === 0) throw noneFound(rows.length);
  return profiles;
}

/** Null when the batch as a whole got no answer that can be used. */
async function together(
  soundcloud: SoundCloudPort,
  urns: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, SoundCloudUser> | null> {
  if (urns.length === 0) return new Map();
  try {
    return await soundcloud.users(urns, signal);
  } catch (error) {
    // Credentials and limits concern all accounts; anything else may be the fault of one row.
    if (!(error instanceof ProviderError) || concernsAll(error)) throw error;
    return null;
  }
}

/** One account by itself. Its own trouble is an answer; what concerns all accounts is thrown. */
async function alone(
  read: () => Promise<Profile>,
): Promise<Profile | { kind: 'silent'; error: ProviderError }> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ProviderError) || concernsAll(error)) throw error;
    return error.kind === 'rejected'
      ? { kind: 'unreadable', reason: error.message }
      : { kind: 'silent', error };
  }
}

async function ask(
  soundcloud: SoundCloudPort,
  row: ConnectionRow,
  urn: string | null,
  signal: AbortSignal,
): Promise<Profile> {
  if (urn !== null) return foundOrGone((await soundcloud.users([urn], signal)).get(urn));
  const resource = await soundcloud.resolve(
    `https://soundcloud.com/${encodeURIComponent(row.handle)}`,
    signal,
  );
  // A handle that leads to something else than a profile is as good as none.
  return resource.kind === 'user' ? { kind: 'found', user: resource.user } : { kind: 'gone' };
}

function concernsAll({ kind }: ProviderError): boolean {
  return kind === 'unauthorized' || kind === 'rate_limited';
}

function foundOrGone(user: SoundCloudUser | undefined): Profile {
  return user === undefined ? { kind: 'gone' } : { kind: 'found', user };
}

function noneReadable(profiles: ReadonlyMap<string, Profile>): ProviderError {
  const reasons = [...profiles.values()].map((profile) => ('reason' in profile ? profile.reason : ''));
  const reason = reasons.find(Boolean);
  return new ProviderError(
    'soundcloud',
    'unavailable',
    reason ?? 'soundcloud: none of the profiles of a page got an answer. Try again later.',
  );
}

function noneFound(profiles: number): ProviderError {
  return new ProviderError(
    'soundcloud',
    'unavailable',
    `soundcloud: none of ${profiles} profiles is said to exist, which is not believed. Try again later.`,
  );
}

/** The URN an account's present handle was resolved to. */
function urnOf({ handle, data }: ConnectionRow): string | null {
  return data.soundcloud?.resolved_from === handle ? data.soundcloud.urn : null;
}

async function writePage(
  trx: Trx,
  moment: SweepMoment,
  profiles: ReadonlyMap<string, Profile>,
): Promise<void> {
  const { orgId, date } = moment;
  const heard = [...profiles].filter(([, profile]) => profile.kind !== 'unanswered').map(([id]) => id);
  const settings = await loadSettings(trx, orgId);
  // What counts is the day of the look: sweeps of three dates that a worker makes up for at once are one look.
  const day = dateOf(moment.at, settings.timezone);
  // Another sweep may have been here meanwhile: what counts is what is locked now.
  const rows = (await lockConnections(trx, orgId, heard)).filter((row) => isDue(row, day));
  const counts = { checked: rows.length, gone: 0, unreadable: 0, implausible: 0 };
  const synced: { row: ConnectionRow; user: SoundCloudUser }[] = [];
  const looks = rows.map((row) => {
    const profile = profiles.get(row.account_id) ?? { kind: 'gone' };
    if (profile.kind === 'found') synced.push({ row, user: profile.user });
    else counts[profile.kind === 'gone' ? 'gone' : 'unreadable'] += 1;
    const found = profile.kind === 'found';
    const before = { failures: row.error_count, checkedOn: row.checked_on };
    return {
      row,
      failures: failuresAfter(before, found, day),
      checkedOn: day,
      data: found ? { soundcloud: { urn: profile.user.urn, resolved_from: row.handle } } : {},
      error: found ? null : reasonOf(profile),
    };
  });
  // Those of a found profile are written with the followers, and those of a lost one with the status afterwards.
  await lockAccountsAndWallets(trx, orgId, {
    accountIds: rows.map((row) => row.account_id),
    memberIds: rows.map((row) => row.member_id),
  });
  await syncFollowers(trx, moment, settings, synced);
  await settleConnections(trx, moment, settings.account_health, looks);
  const moved = synced.filter(({ row, user }) => row.data.soundcloud && row.data.soundcloud.urn !== user.urn);
  await forgetPlanner(
    trx,
    orgId,
    moved.map(({ row }) => row.account_id),
  );
  counts.implausible = synced.filter(
    ({ row, user }) => !isPlausibleCount(row.follower_count, user.followers),
  ).length;
  await tally(trx, orgId, date, counts);
}

function isDue({ checked_on: checkedOn, error_count: failures }: ConnectionRow, date: string): boolean {
  return checkedOn === null || checkedOn < date || failures > 0;
}

function reasonOf(profile: Profile): string {
  return profile.kind === 'unreadable'
    ? profile.reason
    : 'SoundCloud knows no such profile. Correct the handle, or ask the member.';
}

async function syncFollowers(
  trx: Trx,
  { orgId, date, at }: SweepMoment,
  settings: OrgSettings,
  synced: readonly { row: ConnectionRow; user: SoundCloudUser }[],
): Promise<void> {
  const believed = synced.filter(({ row, user }) => isPlausibleCount(row.follower_count, user.followers));
  const steps = believed.map(({ row, user }) => {
    const standing = { tier: row.size_tier, below_tier_syncs: row.below_tier_syncs };
    const { demote_after_syncs: demoteAfter } = settings.pacing;
    const next = stepTier(standing, user.followers, settings.size_tier_thresholds, demoteAfter);
    return {
      member_id: row.member_id,
      account_id: row.account_id,
      followers: user.followers,
      size_tier: next.tier,
      below_tier_syncs: next.below_tier_syncs,
    };
  });
  const changes = await applyFollowerSync(trx, orgId, steps, at);
  let promoted = 0;
  for (const change of changes) {
    const up = change.tier_after > change.tier_before;
    if (up) promoted += 1;
    const { monthly_grant, cap } = settings.tier_policy[change.tier_after];
    const step = steps.find(({ member_id }) => member_id === change.member_id);
    const type = up ? 'member.promoted' : 'member.demoted';
    await emitEvent(trx, {
      orgId,
      type,
      entityType: 'member',
      entityId: change.member_id,
      data: {
        member_id: change.member_id,
        old_tier: change.tier_before,
        new_tier: change.tier_after,
        followers: step?.followers ?? 0,
        monthly_grant,
        cap,
      },
      occurredAt: at,
      dedupeKey: `${type}:${change.member_id}:${date}`,
    });
  }
  await tally(trx, orgId, date, { promoted, demoted: changes.length - promoted });
}
