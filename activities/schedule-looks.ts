/** Looks on SoundCloud whether a schedule's repost was made. */
import { cancellationSignal } from '@temporalio/activity';
import { type Db, withOrg } from '../db/client.js';
import { hasOlderRepost } from '../db/proof-checks.js';
import { loadSchedule, type ScheduleFactsRow } from '../db/schedules.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { notFound, providerFailure } from './failures.js';
import { withLifesign } from './lifesign.js';
import { readList, refusesThis, urnOfUser, wantedTrack } from './repost-lists.js';

export type ScheduleSighting =
  | {
      outcome: 'looked';
      /** `away`: SoundCloud cannot be asked. */
      verdict: 'seen' | 'absent' | 'away';
      proofUrl: string | null;
      assignmentOver: boolean;
      facts: Record<string, unknown>;
    }
  /** Our own request limit says to wait. Real time, epoch ms. */
  | { outcome: 'later'; notBefore: number };

const USER_ID = /^SOUNDCLOUD-USER-(\d+)$/;

export function createScheduleLookActivities({ db, soundcloud }: { db: Db; soundcloud: SoundCloudPort }) {
  return {
    /**
     * Whether the account's list of reposts shows the track.
     * @throws ApplicationFailure `provider_unavailable` when SoundCloud does not answer.
     */
    async lookForScheduledRepost(input: { orgId: string; scheduleId: string }): Promise<ScheduleSighting> {
      const { orgId, scheduleId } = input;
      const { row, older } = await withOrg(db, orgId, async (trx) => {
        const found = await loadSchedule(trx, orgId, scheduleId);
        if (found === undefined) throw notFound(`Schedule ${scheduleId} does not exist.`);
        const { assignment_id: id } = found;
        return { row: found, older: id !== null && (await hasOlderRepost(trx, orgId, id, 'user_reposts')) };
      });
      const { assignment_status: status, assignment_settled_at: settledAt } = row;
      const assignmentOver = settledAt !== null || status === 'skipped' || status === 'failed';
      const looked = (verdict: 'seen' | 'absent' | 'away', facts: Record<string, unknown>) => ({
        outcome: 'looked' as const,
        verdict,
        proofUrl: verdict === 'seen' ? `https://soundcloud.com/${row.target_handle}/reposts` : null,
        assignmentOver,
        facts: { source: 'user_reposts', ...facts },
      });
      if (!soundcloud.configured) return looked('away', { reason: 'not_configured' });
      try {
        const found = await withLifesign(() => search(soundcloud, row, cancellationSignal()));
        // It may be what the account reposted before: only a webhook, or ops, can tell.
        if (found.seen && older) return looked('absent', { ...found.facts, reason: 'reposted_before' });
        return looked(found.seen ? 'seen' : 'absent', found.facts);
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) return { outcome: 'later', notBefore: error.notBefore };
        if (!(error instanceof ProviderError)) throw error;
        if (refusesThis(error)) return looked('absent', { reason: 'refused_by_soundcloud' });
        throw providerFailure(error);
      }
    },
  };
}

async function search(
  soundcloud: SoundCloudPort,
  row: ScheduleFactsRow,
  signal: AbortSignal,
): Promise<{ seen: boolean; facts: Record<string, unknown> }> {
  const urn = await urnOf(soundcloud, row, signal);
  if (urn === null) return { seen: false, facts: { reason: 'profile_not_found' } };
  const { kind, matches } = wantedTrack({ urn: row.track_urn, urls: [row.track_url, row.media_url] });
  const list = await readList(
    (cursor) => soundcloud.userReposts(urn, { limit: 200, cursor, kind }, signal),
    matches,
  );
  if (list === null) return { seen: false, facts: { reason: 'profile_not_found' } };
  return { seen: list.shows, facts: { user: urn, rows: list.rows.length } };
}

async function urnOf(
  soundcloud: SoundCloudPort,
  row: ScheduleFactsRow,
  signal: AbortSignal,
): Promise<string | null> {
  const number = USER_ID.exec(row.planner_user_id ?? '')?.[1];
  if (number !== undefined) return `soundcloud:users:${number}`;
  return urnOfUser(soundcloud, row.target_handle, signal);
}
