/** The mails of an assignment: what they tell the supporter. */
import type { AssignmentFacts } from '../db/assignments.js';
import type { Trx } from '../db/client.js';
import type { AssignmentState } from '../domain/assignment-state.js';
import { termsOf } from '../domain/assignment-terms.js';
import { HOUR_MS } from '../domain/calendar.js';
import { earningOf } from '../domain/credits.js';
import type { OrgSettings } from '../domain/settings.js';
import { dueAt } from '../domain/sla.js';
import { withoutToken } from '../domain/track-url.js';
import { queueMemberMail } from './member-mails.js';
import { addressOf } from './track-label.js';

/** Each template goes out once. @param page address of the assignment's page. @returns the mail's id, see queueMemberMail */
export function queueAssignmentMail(
  trx: Trx,
  mail: {
    template: 'assignment_published' | 'proof_reminder';
    assignment: AssignmentFacts;
    state: AssignmentState;
    settings: OrgSettings;
    page: string;
  },
): Promise<string | null> {
  const { template, assignment, state, settings, page } = mail;
  // Who supports the track is not told the secret token of a private link.
  const trackUrl = withoutToken(assignment.live_link_url ?? assignment.track_url);
  const deadline = dueAt(state.clock) ?? state.slotAt + state.policy.proofHours * HOUR_MS;
  return queueMemberMail(trx, {
    orgId: assignment.org_id,
    template,
    memberId: assignment.supporter_id,
    timezone: settings.timezone,
    facts: {
      track_title: assignment.track_name ?? addressOf(trackUrl),
      track_url: trackUrl,
      deadline: new Date(deadline),
      credits: earningOf(assignment.credits_allocated, termsOf(assignment, settings).feePercent),
      assignment_url: page,
      ...(template === 'assignment_published' && {
        artist_name: assignment.artist_name ?? 'its artist',
        queue_date: assignment.queue_date,
        slot_at: new Date(state.slotAt),
      }),
    },
    relatedType: 'assignment',
    relatedId: assignment.id,
  });
}
