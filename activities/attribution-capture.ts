/** Reads the day's numbers of every track of an org that is due, in as few requests as SoundCloud allows. */
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { AttributionParent } from '../db/attribution.js';
import {
  type ClaimedAttribution,
  claimDue,
  type DueQuestion,
  releaseClaims,
  standOf,
  writeSnapshots,
} from '../db/attribution-claims.js';
import { type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { dayIndex } from '../domain/attribution.js';
import { compression } from '../domain/calendar.js';
import { withoutToken } from '../domain/track-url.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort, SoundCloudTrack } from '../providers/soundcloud/port.js';
import { providerFailure } from './failures.js';
import { withLifesign } from './lifesign.js';
import { taker } from './taker.js';

export type CaptureOutcome =
  | { outcome: 'captured' }
  /** Somebody else is at it, or our own request limit says to wait. `notBefore`: real time, epoch ms. */
  | { outcome: 'later'; notBefore: number }
  /** SoundCloud has just refused somebody of the same batch. */
  | { outcome: 'away' }
  | { outcome: 'track_not_found' }
  | { outcome: 'not_configured' };

/** How long a claim stands, business ms: far below the pause between two tries of one's own. */
const LEASE_MS = 120_000;
/** Real ms it stands at least, where days are short. */
const SHORTEST_LEASE_MS = 3_000;
/** One request for tracks. */
const CHUNK = 50;
/** How long somebody who finds the own track claimed leaves the other one to it, real ms. */
const CLAIMED_RETRY_MS = 1_000;

export function createAttributionCaptureActivities({
  db,
  soundcloud,
}: {
  db: Db;
  soundcloud: SoundCloudPort;
}) {
  return {
    /**
     * Captures the snapshot of a date for everything of the org that is due, among it the one asked for.
     * @param input.date `YYYY-MM-DD` @param input.now business ms: when the numbers were read
     * @throws ApplicationFailure `provider_unavailable` when SoundCloud does not answer.
     */
    async captureSnapshots(input: {
      orgId: string;
      parentType: AttributionParent;
      parentId: string;
      date: string;
      now: number;
    }): Promise<CaptureOutcome> {
      const { orgId, parentType, parentId } = input;
      if (!soundcloud.configured) return { outcome: 'not_configured' };
      const faster = compression(await readClock(db));
      const question: DueQuestion = {
        orgId,
        parentType,
        parentId,
        date: input.date,
        taker: taker(),
        now: input.now,
        leaseMs: Math.max(LEASE_MS, SHORTEST_LEASE_MS * faster),
      };
      const stand = await withOrg(db, orgId, (trx) => standOf(trx, question));
      if (stand === 'captured' || stand === 'closed') return { outcome: 'captured' };
      if (stand === 'failed') return { outcome: 'away' };
      const claims = await withOrg(db, orgId, (trx) => claimDue(trx, question));
      // Another one was quicker with all of them.
      if (claims.length === 0) return { outcome: 'later', notBefore: Date.now() + CLAIMED_RETRY_MS };
      const release = (error: string | null) =>
        withOrg(db, orgId, (trx) => releaseClaims(trx, { ...question, error }));
      try {
        await withLifesign(() => captureAll(claims, input, cancellationSignal()));
        // What is left was not found.
        await release(null);
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) {
          await release(null);
          return { outcome: 'later', notBefore: error.notBefore };
        }
        if (!(error instanceof ProviderError)) throw error;
        await release(isLastTry() ? error.message : null);
        throw providerFailure(error);
      }
      const after = await withOrg(db, orgId, (trx) => standOf(trx, question));
      switch (after) {
        case 'captured':
        case 'closed':
          return { outcome: 'captured' };
        case 'claimed':
          return { outcome: 'later', notBefore: Date.now() + CLAIMED_RETRY_MS };
        case 'failed':
          return { outcome: 'away' };
        case 'free':
          // Its row was locked when the claims were made: nobody has asked for it yet.
          return claims.some((claim) => claim.parent_type === parentType && claim.parent_id === parentId)
            ? { outcome: 'track_not_found' }
            : { outcome: 'later', notBefore: Date.now() + CLAIMED_RETRY_MS };
      }
    },
  };

  async function captureAll(
    claims: readonly ClaimedAttribution[],
    { orgId, date, now }: { orgId: string; date: string; now: number },
    signal: AbortSignal,
  ): Promise<void> {
    for (let start = 0; start < claims.length; start += CHUNK) {
      const chunk = claims.slice(start, start + CHUNK);
      const tracks = await readTracks(chunk, signal);
      const followers = await readFollowers([...tracks.values()], signal);
      const snapshots = [...tracks].map(([claim, track]) => {
        const index = dayIndex(claim.start_date, date);
        const late = index === 0 && claim.baseline_by !== null && now > claim.baseline_by.getTime();
        return {
          claim,
          dayIndex: index,
          counts: {
            plays: track.plays,
            likes: track.likes,
            reposts: track.reposts,
            comments: track.comments,
            followers: followers.get(track.artist.urn) ?? null,
          },
          urn: track.urn,
          metadata: {
            hidden: !track.revealStats,
            kind: track.kind,
            access: track.access,
            ...(late && { after_first_slot: true }),
          },
        };
      });
      // What is read is kept, should the next chunk fail.
      await withOrg(db, orgId, (trx) => writeSnapshots(trx, orgId, { date, collectedAt: now }, snapshots));
    }
  }

  /** By URN in one request; those without, and private ones, which only their address opens, one by one. */
  async function readTracks(
    chunk: readonly ClaimedAttribution[],
    signal: AbortSignal,
  ): Promise<Map<ClaimedAttribution, SoundCloudTrack>> {
    const isPrivate = (claim: ClaimedAttribution) => withoutToken(claim.track_url) !== claim.track_url;
    const urns = chunk.flatMap((claim) =>
      claim.track_urn === null || isPrivate(claim) ? [] : [claim.track_urn],
    );
    const byUrn =
      urns.length === 0 ? new Map<string, SoundCloudTrack>() : await soundcloud.tracks(urns, signal);
    const found = new Map<ClaimedAttribution, SoundCloudTrack>();
    for (const claim of chunk) {
      const track = byUrn.get(claim.track_urn ?? '') ?? (await resolveTrack(claim.track_url, signal));
      if (track !== null) found.set(claim, track);
    }
    return found;
  }

  async function resolveTrack(url: string, signal: AbortSignal): Promise<SoundCloudTrack | null> {
    try {
      const resource = await soundcloud.resolve(url, signal);
      return resource.kind === 'track' || resource.kind === 'set' ? resource.track : null;
    } catch (error) {
      // An address SoundCloud will never accept keeps the others of the batch from nothing.
      if (error instanceof ProviderError && (error.kind === 'not_found' || error.kind === 'rejected'))
        return null;
      throw error;
    }
  }

  /** Followers of the artists. Beside the point of a snapshot: without them it is taken all the same. */
  async function readFollowers(
    tracks: readonly SoundCloudTrack[],
    signal: AbortSignal,
  ): Promise<Map<string, number>> {
    try {
      const users = await soundcloud.users([...new Set(tracks.map((track) => track.artist.urn))], signal);
      return new Map([...users].map(([urn, user]) => [urn, user.followers]));
    } catch (error) {
      if (error instanceof ProviderError || error instanceof RequestNotYetAllowed) return new Map();
      throw error;
    }
  }
}

/** Whether the workflow hears of a failure now, instead of another try. */
function isLastTry(): boolean {
  const { attempt, retryPolicy } = activityInfo();
  return attempt >= (retryPolicy?.maximumAttempts ?? 1);
}
