/** Asks Influence Planner. One call; it is never repeated here. */
import { ProviderError } from '../providers/errors.js';
import type { InfluencePlannerPort } from '../providers/influence-planner/port.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import { withLifesign } from './lifesign.js';

export interface PlannerRequest {
  /** Public address of one track. */
  mediaUrl: string;
  /** `SOUNDCLOUD-USER-<n>` */
  targetUserId: string;
  /** Business ms. */
  date: number;
  unrepostAfterHours: number | null;
}

/** Times are real, epoch ms. */
export type PlannerAnswer =
  | { outcome: 'created'; scheduleId: string; calendarUrl: string }
  | { outcome: 'later'; notBefore: number }
  | { outcome: 'again'; notBefore: number | null; reason: string }
  | { outcome: 'refused'; reason: string }
  | { outcome: 'too_late' }
  | { outcome: 'unknown'; reason: string };

export function createInfluencePlannerActivities({
  influencePlanner,
}: {
  influencePlanner: InfluencePlannerPort;
}) {
  return {
    /**
     * Creates one schedule of one track for one account. Whatever is thrown, a dead worker included, leaves it open
     * whether the vendor has it. A call under way is not broken off when the worker stops.
     * @param input.notAfter real, epoch ms: a call that begins later is not made
     */
    async createPlannerSchedule(input: {
      request: PlannerRequest;
      notAfter: number;
    }): Promise<PlannerAnswer> {
      const { request, notAfter } = input;
      if (Date.now() > notAfter) return { outcome: 'too_late' };
      try {
        const [created] = await withLifesign(() =>
          influencePlanner.createSchedule({
            types: ['REPOST'],
            mediaUrls: [request.mediaUrl],
            targetUserIds: [request.targetUserId],
            date: request.date,
            ...(request.unrepostAfterHours !== null && { unrepostAfterHours: request.unrepostAfterHours }),
            removeDuplicates: true,
          }),
        );
        if (created === undefined) return { outcome: 'unknown', reason: 'The answer named no schedule.' };
        return { outcome: 'created', scheduleId: created.scheduleId, calendarUrl: created.calendarUrl };
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) return { outcome: 'later', notBefore: error.notBefore };
        if (error instanceof ProviderError) return answerOf(error);
        throw error;
      }
    },
  };
}

function answerOf({ kind, message, details }: ProviderError): PlannerAnswer {
  switch (kind) {
    case 'rate_limited':
    case 'unavailable': {
      const { retryAfterMs } = details;
      return {
        outcome: 'again',
        notBefore: retryAfterMs === undefined ? null : Date.now() + retryAfterMs,
        reason: message,
      };
    }
    case 'unauthorized':
    case 'not_found':
    case 'rejected':
      return { outcome: 'refused', reason: message };
    case 'outcome_unknown':
      return { outcome: 'unknown', reason: message };
  }
}
