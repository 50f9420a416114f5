/** What a submission would bring, before it is handed in. */
import { z } from 'zod';
import { subgenrePatterns } from '../db/genres.js';
import {
  type CachedResolution,
  cachedResolution,
  keepResolution,
  type Resolution,
} from '../db/preview-cache.js';
import { loadSettings } from '../db/settings.js';
import { planTargets } from '../db/target-plan.js';
import { DAY_MS, HOUR_MS } from '../domain/calendar.js';
import { classify } from '../domain/genre.js';
import { previewPlan } from '../domain/preview.js';
import { EXCLUSION_CODES } from '../domain/targeting-types.js';
import { parseTrackUrl } from '../domain/track-url.js';
import type { AppDeps } from './deps.js';
import { type Looked, lookUpTrack } from './preview-lookup.js';
import { Problem } from './problems.js';
import { defineLongRoute } from './route.js';
import { calendarDate, id, timestamp } from './schemas.js';
import { asPlanner, type Scope } from './scope.js';
import { chooseMember } from './submission-member.js';
import { TRACK_URL_PROBLEMS } from './track-url-problems.js';

/** A track that is not there yet may be there soon. */
const NOT_FOUND_KEPT_MS = HOUR_MS;
/** Stands for a submission that is none yet. */
const NO_SUBMISSION = '00000000-0000-0000-0000-000000000000';

const people = z.int().describe('Number of supporters.');

const previewSchema = z
  .object({
    member_id: z.uuid(),
    track: z
      .object({
        url: z.string().describe('Canonical address.'),
        urn: z.string(),
        title: z.string(),
        artist_name: z.string(),
        kind: z.enum(['track', 'set']),
        read_at: timestamp.describe('Business time.'),
      })
      .nullable()
      .describe('Null when SoundCloud could not be asked, or knows no such track.'),
    source: z
      .enum(['soundcloud', 'cache', 'old_cache', 'none'])
      .describe('Where the track is known from; old_cache: out of date, because SoundCloud does not answer.'),
    genre: z
      .object({
        family: z.string(),
        subgenres: z.array(z.string()),
        because: z.array(z.string()).describe('Which words of genre, tags or title say so.'),
      })
      .nullable(),
    balance: z.int().describe('Credits the member can spend.'),
    expected_reach: z
      .object({ min: z.int(), planned: z.int(), max: z.int() })
      .nullable()
      .describe('Null while the genre is unknown: who fits depends on it.'),
    credits: z.int().nullable().describe('What the planned reposts would cost.'),
    supporters: z
      .object({ total: people, by_tier: z.object({ T1: people, T2: people, T3: people, T4: people }) })
      .nullable(),
    affinity: z.array(
      z.object({
        because: z.string().describe('Shared subgenre, same family, or neighbouring families.'),
        affinity: z.number(),
        supporters: people,
      }),
    ),
    exclusions: z
      .array(z.object({ code: z.enum(EXCLUSION_CODES), supporters: people }))
      .describe('Why others are left out; one with several reasons counts for each.'),
    not_needed: z.array(
      z.object({ reason: z.enum(['target_reach', 'max_targets', 'no_reach']), supporters: people }),
    ),
    next_queue_date: calendarDate,
    missing: z
      .array(z.object({ code: z.string(), detail: z.string() }))
      .describe('What is not known or stands in the way, with the next step.'),
  })
  .meta({ id: 'SubmissionPreview' });

const MISSING = {
  soundcloud_not_configured:
    'This installation has no SoundCloud credentials: title and genre are unknown. Submit all the same; ops name the genre.',
  soundcloud_unavailable:
    'SoundCloud does not answer now: title and genre are unknown. Try again later, or submit.',
  track_not_found:
    'SoundCloud knows no track at this address. Check it; a private track needs its secret link.',
  not_a_track: 'This address leads to a profile, not to a track.',
  genre_unknown:
    'Nothing in genre, tags or title names a genre of this network. Ops name it when they approve.',
  no_credits: 'A submission needs a balance of at least 1 credit.',
} as const;

const previewRoute = defineLongRoute({
  method: 'post',
  path: '/v1/submissions/preview',
  access: 'anyone',
  scope: 'submissions:write',
  idempotent: false,
  operationId: 'previewSubmission',
  tag: 'submissions',
  summary: 'What a submission would bring: reach, credits, supporters, next queue',
  description:
    'Changes nothing and promises nothing: the queue decides with the facts of its day. Members ask for themselves, ops for anybody.',
  body: z
    .strictObject({
      track_url: z.string().max(20_000).describe('Address of the track on SoundCloud, as for a submission.'),
      member_id: id.optional().describe('Ops and API keys: for whom.'),
    })
    .meta({ id: 'NewPreview' }),
  answers: { 200: { description: 'The preview.', schema: previewSchema } },
  problems: [...TRACK_URL_PROBLEMS, 'no_member', 'unknown_reference'],
  handle: async ({ body, deps, inScope }) => {
    const parsed = parseTrackUrl(body.track_url);
    if (!parsed.ok) throw new Problem(parsed.code, { detail: parsed.reason });
    const { url } = parsed;
    const before = await inScope(async (scope) => {
      const memberId = await chooseMember(scope, body.member_id);
      const now = await deps.businessNow(scope.trx);
      const cached = await asPlanner(scope, (trx) => cachedResolution(trx, scope.orgId, url, now));
      return { memberId, cached };
    });
    // No transaction is held while SoundCloud is asked.
    const looked = before.cached?.fresh
      ? ({ outcome: 'cached' } as const)
      : await lookUpTrack(deps.soundcloud, url, deps.closing);
    return { body: await inScope((scope) => answer(deps, scope, { ...before, url, looked })) };
  },
});

async function answer(
  deps: AppDeps,
  scope: Scope,
  asked: { memberId: string; url: string; cached: CachedResolution | undefined; looked: Looked },
): Promise<z.infer<typeof previewSchema>> {
  const { orgId } = scope;
  const { memberId, cached, looked, url } = asked;
  const now = await deps.businessNow(scope.trx);
  return asPlanner(scope, async (trx) => {
    const settings = await loadSettings(trx, orgId);
    if (looked.outcome === 'found') {
      const { resolution } = looked;
      const keptMs = 'track' in resolution ? settings.preview_cache_days * DAY_MS : NOT_FOUND_KEPT_MS;
      const expiresAt = new Date(now.getTime() + keptMs);
      await keepResolution(trx, orgId, url, resolution, { fetchedAt: now, expiresAt });
    }
    const resolution = looked.outcome === 'found' ? looked.resolution : cached?.resolution;
    const track = resolution !== undefined && 'track' in resolution ? resolution.track : null;
    const genre =
      track === null ? null : classify({ ...track, subgenres: await subgenrePatterns(trx, orgId) });
    const { proposal, reach, supportDate } = await planTargets(trx, {
      orgId,
      settings,
      now: now.getTime(),
      submission: {
        id: NO_SUBMISSION,
        member_id: memberId,
        track_url: track?.url ?? url,
        family: genre?.family ?? null,
        subgenres: genre?.subgenres ?? [],
      },
    });
    const plan = previewPlan(proposal, genre !== null);
    const balance = proposal.criteria.budget ?? 0;
    const readAt = looked.outcome === 'found' ? now : (cached?.fetchedAt ?? now);
    const missing = whatIsMissing(looked, resolution, genre !== null, balance);
    return {
      member_id: memberId,
      track:
        resolution !== undefined && 'track' in resolution
          ? {
              url: resolution.track.url,
              urn: resolution.track.urn,
              title: resolution.track.title,
              artist_name: resolution.track.artist_name,
              kind: resolution.kind,
              read_at: readAt.toISOString(),
            }
          : null,
      source: sourceOf(looked, cached),
      genre: genre && {
        family: genre.family,
        subgenres: genre.subgenres,
        because: genre.matches.map((match) => `${match.source}: ${match.pattern} → ${match.subgenre}`),
      },
      balance,
      expected_reach:
        genre === null
          ? null
          : {
              min: reach.expected_reach_min,
              planned: reach.expected_reach_planned,
              max: reach.expected_reach_max,
            },
      credits: genre === null ? null : plan.credits,
      supporters: genre === null ? null : plan.supporters,
      affinity: plan.affinity,
      exclusions: plan.exclusions,
      not_needed: plan.not_needed,
      next_queue_date: supportDate,
      missing: missing.map((code) => ({ code, detail: MISSING[code] })),
    };
  });
}

function sourceOf(
  looked: Looked,
  cached: CachedResolution | undefined,
): z.infer<typeof previewSchema>['source'] {
  if (looked.outcome === 'found') return 'soundcloud';
  if (cached === undefined) return 'none';
  return cached.fresh ? 'cache' : 'old_cache';
}

function whatIsMissing(
  looked: Looked,
  resolution: Resolution | undefined,
  genreKnown: boolean,
  balance: number,
): (keyof typeof MISSING)[] {
  const codes: (keyof typeof MISSING)[] = [];
  if (looked.outcome === 'not_configured') codes.push('soundcloud_not_configured');
  if (looked.outcome === 'unavailable') codes.push('soundcloud_unavailable');
  if (resolution?.kind === 'not_found') codes.push('track_not_found');
  if (resolution?.kind === 'user') codes.push('not_a_track');
  if (resolution !== undefined && 'track' in resolution && !genreKnown) codes.push('genre_unknown');
  if (balance < 1) codes.push('no_credits');
  return codes;
}

export const previewRoutes = [previewRoute];
