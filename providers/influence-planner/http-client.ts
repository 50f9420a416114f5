/** Influence Planner's Partner API v1 over HTTP. 30 requests a minute and key; a schedule has no idempotency key. */
import type { Dispatcher } from 'undici';
import { ProviderError } from '../errors.js';
import {
  failureOfAnswer,
  type HttpAnswer,
  providerFailure,
  readJson,
  requireSuccess,
} from '../http/failures.js';
import { createGuardedFetch, type GuardedRequest, timeoutsWithin } from '../http/guarded-fetch.js';
import { awaitRequestLeave, RequestNotYetAllowed, type TakeRequestLeave } from '../rate-limit.js';
import { createdAnswer, memberPageAnswer, scheduleIdOf } from './answers.js';
import type {
  CreatedInfluencePlannerSchedule,
  InfluencePlannerMemberPage,
  InfluencePlannerMemberQuery,
  InfluencePlannerPort,
  InfluencePlannerScheduleRequest,
} from './port.js';

export interface InfluencePlannerClientOptions {
  /** `https://api.influenceplanner.com/partner/v1/`, or the sandbox. */
  baseUrl: string;
  /** Without both the client is not `configured`. */
  username?: string | undefined;
  apiKey?: string | undefined;
  /** Taken before each request: one bucket for the key. */
  takeLeave: TakeRequestLeave;
  fetchDispatcher?: Dispatcher;
  /** Whole time of one HTTP request, real ms (default 20,000). */
  timeoutMs?: number;
}

const PROVIDER = 'influence-planner';
const MOST_MEMBERS = 25;
const CREATE = 'create a schedule';
const LIST = 'list the members';

/** Builds the client. Nothing is sent before the first call. */
export function createInfluencePlannerClient(options: InfluencePlannerClientOptions): InfluencePlannerPort {
  const { username, apiKey, takeLeave } = options;
  const configured = Boolean(username && apiKey);
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const fetch = createGuardedFetch({
    provider: PROVIDER,
    timeouts: timeoutsWithin(options.timeoutMs ?? 20_000),
    dispatcher: options.fetchDispatcher,
  });
  const authorization = `Basic ${Buffer.from(`${username}:${apiKey}`).toString('base64')}`;

  async function send(
    request: Pick<GuardedRequest, 'operation' | 'method' | 'body' | 'signal'> & { path: string },
  ): Promise<HttpAnswer> {
    const { path, ...rest } = request;
    if (!configured) {
      throw new ProviderError(
        PROVIDER,
        'unauthorized',
        'Influence Planner has no credentials to be asked with. Set INFLUENCE_PLANNER_USERNAME and INFLUENCE_PLANNER_API_KEY to those the vendor gave you.',
      );
    }
    await awaitRequestLeave(takeLeave, request.signal);
    return fetch({
      ...rest,
      url: `${baseUrl}${path}`,
      headers: {
        authorization,
        accept: 'application/json',
        ...(rest.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });
  }

  async function members(
    query: InfluencePlannerMemberQuery = {},
    signal?: AbortSignal,
  ): Promise<InfluencePlannerMemberPage> {
    const { offset = 0, limit = MOST_MEMBERS, ...filter } = query;
    const given = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
    const search = new URLSearchParams([['offset', String(offset)], ['limit', String(limit)], ...given]);
    const answer = await send({ operation: LIST, path: `/network/members?${search}`, signal });
    const page = readJson(PROVIDER, LIST, requireSuccess(PROVIDER, LIST, answer), memberPageAnswer);
    const { results, last, totalElements, totalPages } = page;
    return {
      members: [...new Map(results.map((row) => [row.membershipId, row])).values()],
      totalElements,
      totalPages,
      // By what came, not by what was asked for: the vendor may give smaller pages.
      nextOffset: last || results.length === 0 ? null : offset + results.length,
    };
  }

  async function createSchedule(
    request: InfluencePlannerScheduleRequest,
    signal?: AbortSignal,
  ): Promise<CreatedInfluencePlannerSchedule[]> {
    const body = JSON.stringify(scheduleBody(request));
    const answer = await send({ operation: CREATE, path: '/schedule/create', method: 'POST', body, signal });
    // Unlike for a question, an error of the server says nothing of what it did before.
    if (answer.status >= 500) throw unknownOutcome(answer, `was answered with ${answer.status}`);
    if (answer.status < 200 || answer.status >= 300) throw failureOfAnswer(PROVIDER, CREATE, answer);
    return readCreated(answer, request.mediaUrls);
  }

  async function probe(): Promise<{ ok: boolean; detail: string }> {
    if (!configured) {
      return {
        ok: false,
        detail: 'Not configured: INFLUENCE_PLANNER_USERNAME and INFLUENCE_PLANNER_API_KEY are not set.',
      };
    }
    try {
      await members({ limit: 1 });
      return { ok: true, detail: 'Influence Planner answers.' };
    } catch (error) {
      if (error instanceof RequestNotYetAllowed)
        return { ok: true, detail: 'Not asked: the request limit is used up.' };
      if (error instanceof ProviderError) return { ok: error.kind === 'rate_limited', detail: error.message };
      return {
        ok: false,
        detail: `Influence Planner could not be asked: ${error instanceof Error ? error.name : 'unknown'}.`,
      };
    }
  }

  return { configured, members, createSchedule, probe };
}

function scheduleBody(request: InfluencePlannerScheduleRequest): Record<string, unknown> {
  return {
    types: request.types,
    medias: request.mediaUrls,
    targets: request.targetUserIds,
    // Absent fields vanish in JSON.
    settings: {
      date: request.date === undefined ? undefined : new Date(request.date).toISOString(),
      unrepostAfterHours: request.unrepostAfterHours,
      spreadBetweenAccountsMinutes: request.spreadBetweenAccountsMinutes,
      spreadBetweenTracksMinutes: request.spreadBetweenTracksMinutes,
    },
    comment: request.comment,
    removeDuplicates: request.removeDuplicates ?? true,
    shuffle: request.shuffle ?? false,
  };
}

/** One calendar URL for each media, or nobody knows which schedule is which. */
function readCreated(answer: HttpAnswer, mediaUrls: readonly string[]): CreatedInfluencePlannerSchedule[] {
  let urls: string[];
  try {
    urls = readJson(PROVIDER, CREATE, answer, createdAnswer).data;
  } catch {
    throw unknownOutcome(answer, 'succeeded, but the answer cannot be read');
  }
  if (urls.length !== mediaUrls.length) {
    throw unknownOutcome(
      answer,
      `was answered with ${urls.length} calendar URLs for ${mediaUrls.length} media`,
    );
  }
  return urls.map((calendarUrl, index) => ({
    mediaUrl: mediaUrls[index] ?? '',
    calendarUrl,
    scheduleId: scheduleIdOf(calendarUrl) ?? '',
  }));
}

function unknownOutcome({ status }: HttpAnswer, what: string): ProviderError {
  return providerFailure(PROVIDER, 'outcome_unknown', CREATE, what, { status });
}
