/** Reads from SoundCloud. */
import { cancellationSignal } from '@temporalio/activity';
import { type Db, withOrg } from '../db/client.js';
import { loadSubmission } from '../db/submissions.js';
import { parseTrackUrl } from '../domain/track-url.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { notFound, providerFailure } from './failures.js';
import { withLifesign } from './lifesign.js';

export interface TrackFacts {
  /** Canonical URL; differs from the submitted one when that was a short link. */
  url: string;
  urn: string;
  title: string;
  artistName: string;
  genre: string | null;
  tags: string[];
}

export type TrackDescription =
  | { outcome: 'found'; track: TrackFacts }
  | { outcome: 'not_found' }
  /** The link leads to a profile or off SoundCloud. */
  | { outcome: 'not_a_track' }
  /** The product runs without SoundCloud credentials. */
  | { outcome: 'not_configured' };

/** Our own request limit says to wait; says nothing about SoundCloud. `notBefore`: real time, epoch ms. */
export type AskedTooSoon = { outcome: 'later'; notBefore: number };

export function createSoundCloudActivities({ db, soundcloud }: { db: Db; soundcloud: SoundCloudPort }) {
  return {
    /**
     * What SoundCloud says of a submission's track, by its live link where there is one; short links are followed first.
     * @throws ApplicationFailure `provider_unavailable` when SoundCloud does not answer.
     */
    async describeTrack(input: {
      orgId: string;
      submissionId: string;
    }): Promise<TrackDescription | AskedTooSoon> {
      const submission = await withOrg(db, input.orgId, (trx) =>
        loadSubmission(trx, input.orgId, input.submissionId),
      );
      if (submission === undefined) throw notFound(`Submission ${input.submissionId} does not exist.`);
      if (!soundcloud.configured) return { outcome: 'not_configured' };
      try {
        return await withLifesign(() =>
          describe(soundcloud, submission.live_link_url ?? submission.track_url, cancellationSignal()),
        );
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) return { outcome: 'later', notBefore: error.notBefore };
        if (!(error instanceof ProviderError)) throw error;
        // A track SoundCloud will never describe is for ops to look at, not a reason to wait for SoundCloud.
        if (refusesThisTrack(error)) return { outcome: 'not_found' };
        throw providerFailure(error);
      }
    },
  };
}

function refusesThisTrack({ kind, details }: ProviderError): boolean {
  return kind === 'not_found' || (kind === 'rejected' && (details.status ?? 0) >= 400);
}

async function describe(
  soundcloud: SoundCloudPort,
  given: string,
  signal: AbortSignal,
): Promise<TrackDescription> {
  const parsed = parseTrackUrl(given);
  if (!parsed.ok) return { outcome: 'not_a_track' };
  let url = parsed.url;
  if (parsed.kind === 'short_link') {
    const long = await soundcloud.expandShortLink(url, signal);
    if (long === null) return { outcome: 'not_found' };
    const expanded = parseTrackUrl(long);
    if (!expanded.ok || expanded.kind === 'short_link') return { outcome: 'not_a_track' };
    url = expanded.url;
  }
  const resource = await soundcloud.resolve(url, signal);
  if (resource.kind === 'not_found') return { outcome: 'not_found' };
  if (resource.kind === 'user') return { outcome: 'not_a_track' };
  const { track } = resource;
  return {
    outcome: 'found',
    track: {
      url,
      urn: track.urn,
      title: track.title,
      artistName: track.artist.name,
      genre: track.genre,
      tags: track.tags,
    },
  };
}
