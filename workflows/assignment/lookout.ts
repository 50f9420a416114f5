/**
 * Looks for the repost beside the lifecycle, so that nobody's command waits for SoundCloud. One look goes through the
 * lists until one shows the repost; its result is fetched by the main loop.
 */
import { ActivityFailure, CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { LookResult } from '../../domain/assignment-looks.js';
import type { PlannedLook } from '../../domain/assignment-state.js';
import { type Judgement, judgeLook, LISTS } from '../../domain/proof-evidence.js';
import { proofActivities } from '../shared/activities.js';
import { saysProviderIsAway } from '../shared/failures.js';
import { waitForLeave } from '../shared/request-leave.js';

export interface Lookout {
  looking(): boolean;
  hasResult(): boolean;
  /** The result of the look that is back, once. */
  take(): LookResult | undefined;
  begin(look: PlannedLook): void;
  /** Breaks the look off; whoever comes next makes it again under the same key. */
  stop(): Promise<void>;
}

/** @param now business time */
export function createLookout(
  target: { orgId: string; assignmentId: string },
  label: () => string,
  now: () => number,
): Lookout {
  const { lookForRepost } = proofActivities();
  let scope = new CancellationScope({ cancellable: true });
  let underWay = false;
  let result: LookResult | undefined;
  /** What SoundCloud calls the supporter; asked for once. */
  let supporterUrn: string | null = null;

  async function look({ key, purpose }: PlannedLook): Promise<LookResult> {
    const lists: Judgement[] = [];
    const phase = purpose === 'watch' ? ('watch' as const) : ('proof' as const);
    let at = now();
    let degraded = false;
    let scheduled = false;
    for (const source of LISTS) {
      const found = await ask({ ...target, source, phase, key: `${key}:${source}` });
      if (found === null) return { key, outcome: 'away' };
      supporterUrn = found.supporterUrn ?? supporterUrn;
      lists.push(found);
      at = found.checkedAt;
      degraded = found.degraded;
      scheduled = found.scheduled;
      if (found.verdict === 'seen' || degraded) break;
    }
    return { key, outcome: 'answered', verdict: judgeLook(lists), at, degraded, scheduled };
  }

  /** Null when SoundCloud does not answer. A request limit, a worker or a database that is away says nothing of it. */
  async function ask(question: Omit<Parameters<typeof lookForRepost>[0], 'supporterUrn' | 'now'>) {
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await lookForRepost.executeWithOptions({ summary: `${question.source}: ${label()}` }, [
          { ...question, supporterUrn, now: now() },
        ]);
        if (answer.outcome === 'looked') return answer;
        await sleep(waitForLeave(answer.notBefore, tries), { summary: `request limit: ${label()}` });
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
        if (saysProviderIsAway(error)) return null;
        await sleep(Math.min(1_000 * 2 ** tries, 60_000), {
          summary: `worker or database away: ${label()}`,
        });
      }
    }
  }

  async function run(planned: PlannedLook) {
    try {
      result = await scope.run(() => look(planned));
    } catch (error) {
      if (!isCancellation(error)) throw error;
    } finally {
      underWay = false;
    }
  }

  return {
    looking: () => underWay,
    hasResult: () => result !== undefined,
    take() {
      const taken = result;
      result = undefined;
      return taken;
    },
    begin(planned) {
      underWay = true;
      scope = new CancellationScope({ cancellable: true });
      void run(planned);
    },
    async stop() {
      scope.cancel();
      await condition(() => !underWay);
    },
  };
}
