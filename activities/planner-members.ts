/** Reads Influence Planner's list of members: all of it once, then what changed. */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import {
  type ConnectionData,
  type ConnectionRow,
  connectionsNamed,
  lockConnections,
} from '../db/account-health.js';
import { anyUnsought, loadCursor, markAbsent, saveCursor, tally } from '../db/account-sweeps.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { loadSettings } from '../db/settings.js';
import { handleOfProfile } from '../domain/account-health.js';
import type { PlannerProgress } from '../domain/account-sweep.js';
import { daysBetween } from '../domain/calendar.js';
import { ProviderError } from '../providers/errors.js';
import type { InfluencePlannerMember, InfluencePlannerPort } from '../providers/influence-planner/port.js';
import { type SweepMoment, settleConnections } from './account-connections.js';
import { type SweepStep, whyStopped } from './account-profiles.js';
import { withLifesign } from './lifesign.js';

const PROVIDER = 'influence-planner';
const PAGE_SIZE = 25;
const PAGES_PER_CALL = 40;

type Reading = NonNullable<PlannerProgress['reading']>;

export function createPlannerMemberActivities({
  db,
  influencePlanner,
}: {
  db: Db;
  influencePlanner: InfluencePlannerPort;
}) {
  return {
    /**
     * Reads some pages of the network from where the last call ended, newest change first, and writes each in one
     * transaction. Where the list is read to its end the cursor moves on, unless rows were left out of a page.
     */
    async sweepPlannerMembers(
      input: SweepMoment & { progress: PlannerProgress },
    ): Promise<SweepStep<PlannerProgress>> {
      let progress: PlannerProgress = activityInfo().heartbeatDetails ?? input.progress;
      if (!influencePlanner.configured) return { progress, stopped: { kind: 'not_configured' } };
      const signal = cancellationSignal();
      return withLifesign(
        async () => {
          try {
            for (let pages = 0; pages < PAGES_PER_CALL && !progress.done; pages += 1) {
              signal.throwIfAborted();
              const reading = progress.reading ?? (await begin(input));
              progress = await readPage(input, reading, signal);
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

  async function begin({ orgId, date }: SweepMoment): Promise<Reading> {
    return withOrg(db, orgId, async (trx) => {
      const { account_health: settings } = await loadSettings(trx, orgId);
      const cursor = await loadCursor(trx, orgId, PROVIDER);
      const all =
        cursor === undefined ||
        daysBetween(cursor.fullSweepOn, date) >= settings.full_reading_days ||
        (await anyUnsought(trx, orgId));
      return {
        mode: all ? 'all' : 'changes',
        until: all ? null : cursor.readUntil,
        newest: null,
        offset: 0,
        incomplete: false,
        begunAt: Date.now(),
      };
    });
  }

  async function readPage(
    input: SweepMoment,
    reading: Reading,
    signal: AbortSignal,
  ): Promise<PlannerProgress> {
    const { offset, until } = reading;
    const query = { offset, limit: PAGE_SIZE, sortBy: 'UPDATED', sortDir: 'DESC' } as const;
    const { members, nextOffset, totalElements } = await influencePlanner.members(query, signal);
    if (members.length === 0 && offset < totalElements) {
      throw new ProviderError(
        'influence-planner',
        'unavailable',
        `influence-planner: the list of members ended after ${offset} of ${totalElements}. Try again later.`,
      );
    }
    // At the border itself rows may share an instant, so those are read again.
    const news = members.filter(({ updatedAt }) => until === null || updatedAt >= until);
    const next: Reading = {
      ...reading,
      newest: news.reduce<number | null>(
        (newest, { updatedAt }) => Math.max(newest ?? updatedAt, updatedAt),
        reading.newest,
      ),
      // By the rows that came: the list may give fewer than were asked for.
      offset: offset + members.length,
      incomplete: reading.incomplete || members.length < Math.min(PAGE_SIZE, totalElements - offset),
    };
    const done = nextOffset === null || news.length < members.length || members.length === 0;
    await withOrg(db, input.orgId, async (trx) => {
      await writePage(trx, input, news);
      if (done) await finish(trx, input, next);
    });
    return { reading: next, done };
  }

  async function finish(trx: Trx, { orgId, date }: SweepMoment, reading: Reading): Promise<void> {
    // An empty list says nothing: it is one of the ways in which lists lie.
    if (reading.newest === null || reading.incomplete) return;
    const whole = reading.mode === 'all';
    await saveCursor(trx, orgId, PROVIDER, {
      readUntil: reading.newest,
      fullSweepOn: whole ? date : null,
    });
    if (whole) await markAbsent(trx, orgId, reading.begunAt);
  }
}

/** Writes what the rows of a page say of our accounts. */
async function writePage(
  trx: Trx,
  moment: SweepMoment,
  members: readonly InfluencePlannerMember[],
): Promise<void> {
  const { orgId, date } = moment;
  const byUrn = new Map<string, InfluencePlannerMember>();
  const byHandle = new Map<string, InfluencePlannerMember>();
  for (const member of [...members].sort((a, b) => a.updatedAt - b.updatedAt)) {
    if (member.soundcloudUrn !== null) byUrn.set(member.soundcloudUrn, member);
    const handle = handleOfProfile(member.profileUrl);
    if (handle !== null) byHandle.set(handle, member);
  }
  const names = { urns: [...byUrn.keys()], handles: [...byHandle.keys()] };
  const named = await connectionsNamed(trx, orgId, names);
  const rows = await lockConnections(
    trx,
    orgId,
    named.map(({ account_id }) => account_id),
  );
  const heard = rows.flatMap((row) => {
    const member = memberOf(row, byUrn, byHandle);
    if (member === undefined || isOlder(member, row.data)) return [];
    const record = {
      user_id: member.userId,
      membership_id: member.membershipId,
      status: member.status,
      updated_at: new Date(member.updatedAt).toISOString(),
    };
    return [
      {
        row,
        failures: row.error_count,
        checkedOn: null,
        data: { influence_planner: record },
        error: null,
      },
    ];
  });
  const settings = await loadSettings(trx, orgId);
  await settleConnections(trx, moment, settings.account_health, heard);
  await tally(trx, orgId, date, { planner_members: heard.length });
}

/** The URN decides where it is known: a handle may belong to somebody else by now. */
function memberOf(
  { handle, data }: Pick<ConnectionRow, 'handle' | 'data'>,
  byUrn: ReadonlyMap<string, InfluencePlannerMember>,
  byHandle: ReadonlyMap<string, InfluencePlannerMember>,
): InfluencePlannerMember | undefined {
  const urn = data.soundcloud?.resolved_from === handle ? data.soundcloud.urn : undefined;
  return urn === undefined ? byHandle.get(handle.toLowerCase()) : byUrn.get(urn);
}

/** A list that is days old must not undo what a newer one said. */
function isOlder(member: InfluencePlannerMember, data: ConnectionData): boolean {
  const known = data.influence_planner?.updated_at;
  return known !== undefined && known !== null && member.updatedAt < Date.parse(known);
}
