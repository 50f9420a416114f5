/** Looks for reposts on SoundCloud and keeps what was seen as evidence. Nothing here decides about a member. */
import { cancellationSignal } from '@temporalio/activity';
import { type AssignmentFacts, loadAssignment } from '../db/assignments.js';
import { type Db, withOrg } from '../db/client.js';
import {
  findProofCheck,
  hasOlderRepost,
  type LaterRepost,
  laterReposts,
  storeProofCheck,
} from '../db/proof-checks.js';
import { isWithPlanner } from '../db/schedules.js';
import {
  type Judgement,
  judgeList,
  type ListFacts,
  type ListSource,
  type Verdict,
} from '../domain/proof-evidence.js';
import { parseTrackUrl, withoutToken } from '../domain/track-url.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { notFound, providerFailure } from './failures.js';
import { withLifesign } from './lifesign.js';
import { readList, refusesThis, urnOfUser, wantedTrack } from './repost-lists.js';
import type { AskedTooSoon } from './soundcloud.js';

/** Reason of a look that shows a repost, maybe an older one. */
const REPOSTED_BEFORE = 'reposted_before';

export interface RepostQuestion {
  orgId: string;
  assignmentId: string;
  source: ListSource;
  phase: 'proof' | 'watch';
  /** Evidence is stored under it once; a question under a key that has evidence is answered from it. */
  key: string;
  /** `soundcloud:users:<n>` of the supporter where it is known. */
  supporterUrn: string | null;
  /** Business ms. */
  now: number;
}

export interface RepostAnswer extends Judgement {
  outcome: 'looked';
  supporterUrn: string | null;
  /** Business ms; earlier than the question's when the evidence was there already. */
  checkedAt: number;
  /** There are no credentials: nothing was looked at. */
  degraded: boolean;
  /** Influence Planner has, or may have, a schedule for it, and takes the repost down as planned. */
  scheduled: boolean;
}

/** What else the account, or the track, is known to have been reposted for. */
interface KnownReposts {
  later: readonly LaterRepost[];
  /** An earlier repost of the same track by the same supporter may still stand. */
  older: boolean;
}

interface Sighting extends Judgement {
  facts: Record<string, unknown>;
  supporterUrn: string | null;
}

export function createProofActivities({ db, soundcloud }: { db: Db; soundcloud: SoundCloudPort }) {
  return {
    /**
     * Looks for an assignment's repost in one of SoundCloud's lists and stores what the list shows.
     * @throws ApplicationFailure `provider_unavailable` when SoundCloud does not answer.
     */
    async lookForRepost(question: RepostQuestion): Promise<RepostAnswer | AskedTooSoon> {
      const { orgId, assignmentId, source, phase, key, now } = question;
      const read = await withOrg(db, orgId, async (trx) => {
        const stored = await findProofCheck(trx, question);
        const assignment = await loadAssignment(trx, orgId, assignmentId);
        if (assignment === undefined) throw notFound(`Assignment ${assignmentId} does not exist.`);
        const later = await laterReposts(
          trx,
          orgId,
          {
            id: assignmentId,
            supporterId: assignment.supporter_id,
            trackUrl: assignment.track_url,
            slotAt: assignment.slot_at ?? assignment.created_at,
          },
          source === 'user_reposts' ? 'supporter' : 'track',
        );
        const known = { later, older: await hasOlderRepost(trx, orgId, assignmentId, source) };
        return { stored, assignment, known, scheduled: await isWithPlanner(trx, orgId, assignmentId) };
      });
      const { scheduled } = read;
      if (read.stored !== undefined) return { ...answerOf(read.stored, question.supporterUrn), scheduled };
      try {
        const sighting = await withLifesign(() =>
          look(question, read.assignment, read.known, cancellationSignal()),
        );
        const { verdict, positiveControl, facts, supporterUrn } = sighting;
        const row = await withOrg(db, orgId, (trx) =>
          storeProofCheck(trx, {
            orgId,
            assignmentId,
            phase,
            source,
            verdict,
            positiveControl,
            facts,
            key,
            checkedAt: now,
          }),
        );
        return { ...answerOf(row, supporterUrn), scheduled };
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) return { outcome: 'later', notBefore: error.notBefore };
        if (error instanceof ProviderError) throw providerFailure(error);
        throw error;
      }
    },

    /** What a short link stands for; the link itself when it is dead, or when nothing can be asked now. */
    async expandProofLink({ url }: { url: string }): Promise<{ url: string }> {
      const parsed = parseTrackUrl(url);
      if (!parsed.ok || parsed.kind !== 'short_link') return { url };
      try {
        const long = await withLifesign(() => soundcloud.expandShortLink(parsed.url, cancellationSignal()));
        return { url: long ?? url };
      } catch (error) {
        if (error instanceof RequestNotYetAllowed || error instanceof ProviderError) return { url };
        throw error;
      }
    },
  };

  async function look(
    question: RepostQuestion,
    assignment: AssignmentFacts,
    known: KnownReposts,
    signal: AbortSignal,
  ): Promise<Sighting> {
    if (!soundcloud.configured) return nothing('not_configured', question.supporterUrn);
    try {
      return question.source === 'user_reposts'
        ? await lookAtSupporter(question, assignment, known, signal)
        : await lookAtTrack(question, assignment, known, signal);
    } catch (error) {
      // For ops to look at, not a reason to wait for SoundCloud.
      if (error instanceof ProviderError && refusesThis(error))
        return nothing('refused_by_soundcloud', question.supporterUrn);
      throw error;
    }
  }

  async function lookAtSupporter(
    { supporterUrn }: RepostQuestion,
    assignment: AssignmentFacts,
    known: KnownReposts,
    signal: AbortSignal,
  ): Promise<Sighting> {
    if (assignment.handle === null) return nothing('no_account', supporterUrn);
    const urn = supporterUrn ?? (await urnOfUser(soundcloud, assignment.handle, signal));
    if (urn === null) return nothing('profile_not_found', null);
    const wanted = trackOf(assignment);
    const { kind } = wanted;
    const list = await readList(
      (cursor) => soundcloud.userReposts(urn, { limit: 200, cursor, kind }, signal),
      wanted.matches,
    );
    if (list === null) return nothing('profile_not_found', urn);
    const later = known.later.filter((control) => list.rows.some(trackOf(control).matches));
    return sighted(
      {
        shows: list.shows,
        rows: list.rows.length,
        // Newest first: what is not in a thousand rows was not reposted since the slot.
        complete: list.ended || list.rows.length > 0,
        laterReposts: later.length,
        olderRepost: known.older,
      },
      { user: urn, later: later.map((control) => withoutToken(control.track_url)) },
      urn,
    );
  }

  async function lookAtTrack(
    { supporterUrn }: RepostQuestion,
    assignment: AssignmentFacts,
    known: KnownReposts,
    signal: AbortSignal,
  ): Promise<Sighting> {
    const urn = assignment.track_urn ?? (await trackUrnOf(assignment.track_url, signal));
    if (urn === null) return nothing('track_not_found', supporterUrn);
    const handle = assignment.handle?.toLowerCase();
    const list = await readList(
      (cursor) => soundcloud.reposters(urn, { limit: 200, cursor }, signal),
      (row) => row.urn === supporterUrn || row.handle.toLowerCase() === handle,
    );
    if (list === null) return nothing('track_not_found', supporterUrn);
    const shown = new Set(list.rows.map((row) => row.handle.toLowerCase()));
    const later = known.later.filter((control) => shown.has(control.handle.toLowerCase()));
    return sighted(
      {
        shows: list.shows,
        rows: list.rows.length,
        complete: list.ended,
        laterReposts: later.length,
        olderRepost: known.older,
      },
      // Not who they are: the supporter reads this.
      { track: urn, later: later.map((control) => control.id) },
      supporterUrn,
    );
  }

  async function trackUrnOf(trackUrl: string, signal: AbortSignal): Promise<string | null> {
    const found = await soundcloud.resolve(trackUrl, signal);
    return found.kind === 'track' || found.kind === 'set' ? found.track.urn : null;
  }
}

function trackOf(track: { track_urn: string | null; track_url: string; live_link_url?: string | null }) {
  return wantedTrack({ urn: track.track_urn, urls: [track.track_url, track.live_link_url ?? null] });
}

function nothing(reason: string, supporterUrn: string | null): Sighting {
  return { verdict: 'inconclusive', positiveControl: false, facts: { reason }, supporterUrn };
}

/** @param shown whose list it was, and the later reposts in it */
function sighted(
  { shows, ...facts }: ListFacts,
  shown: Record<string, unknown>,
  supporterUrn: string | null,
): Sighting {
  const judgement = judgeList({ shows, ...facts });
  const why = judgement.repostedBefore ? { reason: REPOSTED_BEFORE } : {};
  return { ...judgement, facts: { ...facts, ...why, ...shown }, supporterUrn };
}

function answerOf(
  row: { verdict: string; positive_control: boolean; checked_at: Date; facts: unknown },
  supporterUrn: string | null,
): Omit<RepostAnswer, 'scheduled'> {
  const facts = row.facts as { reason?: string };
  return {
    outcome: 'looked',
    verdict: row.verdict as Verdict,
    positiveControl: row.positive_control,
    supporterUrn,
    checkedAt: row.checked_at.getTime(),
    degraded: facts.reason === 'not_configured',
    repostedBefore: facts.reason === REPOSTED_BEFORE,
  };
}
