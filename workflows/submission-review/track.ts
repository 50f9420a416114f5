/** Asks SoundCloud about the track of a submission, for as long as it takes to know whether SoundCloud answers. */
import { ActivityFailure, isCancellation, sleep } from '@temporalio/workflow';
import type { TrackDescription } from '../../activities/soundcloud.js';
import { soundCloudActivities } from '../shared/activities.js';
import { saysProviderIsAway } from '../shared/failures.js';
import { waitForLeave } from '../shared/request-leave.js';

/** What SoundCloud says of the track; null when it does not answer. */
export async function describeTrack(
  target: { orgId: string; submissionId: string; workflowId: string },
  label: string,
): Promise<TrackDescription | null> {
  const { describeTrack: ask } = soundCloudActivities();
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await ask.executeWithOptions({ summary: label }, [target]);
      if (answer.outcome !== 'later') return answer;
      await sleep(waitForLeave(answer.notBefore, tries), { summary: `request limit: ${label}` });
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      if (saysProviderIsAway(error)) return null;
      await sleep(Math.min(5_000 * 2 ** tries, 60_000), { summary: `worker or database away: ${label}` });
    }
  }
}
