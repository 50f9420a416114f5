/** Sample rows: what goes through a lifecycle, mail and notifications. */
import {
  actorId,
  base,
  commonId,
  idOf,
  loginOf,
  OWNED,
  OWNED_BY_LOGINS,
  type TableSample,
  TWO_THERE,
  withMember,
  word,
} from './sample.js';
import { fixedId, memberId, userId } from './world.js';

export const LIFECYCLE_SAMPLES: Record<string, TableSample> = {
  soundcloud_submissions: {
    owners: OWNED,
    ownersThere: TWO_THERE,
    row: (of) => ({
      ...withMember('soundcloud_submissions', of),
      track_url: `https://soundcloud.com/artist-${word(of)}/track`,
    }),
  },
  soundcloud_campaigns: {
    row: (of) => ({
      ...base('soundcloud_campaigns', of),
      artist_name: 'Night Ferry',
      track_name: 'Low Tide',
      track_url: `https://soundcloud.com/night-ferry/${word(of)}`,
      created_by: actorId(of),
    }),
  },
  // The people's queues are published, that of nobody is a draft.
  soundcloud_queues: {
    owners: OWNED,
    row: (of) => ({
      ...base('soundcloud_queues', of),
      date: `2026-0${{ member: 1, both: 2, moderator: 4, nobody: 3 }[of.owner]}-${of.copy === '' ? '01' : '02'}`,
      status: of.owner === 'nobody' ? 'draft' : 'published',
    }),
  },
  soundcloud_queue_assignments: {
    owners: OWNED,
    row: (of) => ({
      ...base('soundcloud_queue_assignments', of),
      queue_id: idOf('soundcloud_queues', of),
      // A queue has a pair of submission and supporter once.
      submission_id: fixedId('soundcloud_submissions', of.org, of.copy === '' ? 'nobody' : 'member', ''),
      supporter_id: memberId(of.org, of.owner),
      position: of.copy === '' ? 1 : 2,
    }),
    set: () => `proof_url = 'https://soundcloud.com/you/reposts'`,
  },
  soundcloud_target_proposals: {
    row: (of) => ({
      ...base('soundcloud_target_proposals', of),
      parent_type: 'submission',
      parent_id: commonId('soundcloud_submissions', of),
    }),
  },
  soundcloud_schedules: {
    row: (of) => ({
      ...base('soundcloud_schedules', of),
      parent_type: 'submission',
      parent_id: commonId('soundcloud_submissions', of),
      target_handle: word(of),
    }),
  },
  soundcloud_proof_checks: {
    owners: OWNED,
    row: (of) => ({
      ...base('soundcloud_proof_checks', of),
      assignment_id: idOf('soundcloud_queue_assignments', of),
      phase: 'proof',
      source: 'reposters',
      verdict: 'seen',
      check_key: word(of),
      checked_at: '2026-01-01T00:00:00Z',
    }),
  },
  soundcloud_inquiries: {
    row: (of) => ({
      ...base('soundcloud_inquiries', of),
      name: 'Night Ferry',
      email: `${word(of)}@elsewhere.test`,
    }),
  },
  soundcloud_complaints: {
    row: (of) => ({ ...base('soundcloud_complaints', of), email: `${word(of)}@elsewhere.test` }),
  },
  soundcloud_attributions: {
    owners: OWNED,
    row: (of) => ({
      ...base('soundcloud_attributions', of),
      // A submission has one: a further one is a campaign's.
      parent_type: of.copy === '' ? 'submission' : 'campaign',
      parent_id: of.copy === '' ? idOf('soundcloud_submissions', of) : commonId('soundcloud_campaigns', of),
      start_date: '2026-01-01',
      first_date: '2026-01-01',
      gaps: [],
    }),
  },
  soundcloud_attribution_snapshots: {
    owners: OWNED,
    row: (of) => ({
      ...base('soundcloud_attribution_snapshots', of),
      parent_type: 'submission',
      parent_id: idOf('soundcloud_submissions', of),
      day_index: of.copy === '' ? 0 : 1,
      snapshot_date: '2026-01-01',
    }),
  },
  soundcloud_integration_status: {
    row: (of) => ({ ...base('soundcloud_integration_status', of), account_handle: word(of) }),
  },
  soundcloud_mail_events: {
    row: (of) => ({
      ...base('soundcloud_mail_events', of),
      message_id: word(of),
      object_type: 'submission',
      object_id: commonId('soundcloud_submissions', of),
      event_type: 'delivered',
    }),
  },
  soundcloud_email_templates: {
    row: (of) => ({
      ...base('soundcloud_email_templates', of),
      name: word(of),
      subject: 'Hello',
      body_html: '<p>Hello</p>',
    }),
  },
  soundcloud_email_logs: {
    row: (of) => ({
      ...base('soundcloud_email_logs', of),
      template_name: 'submission_confirmation',
      recipient_email: `${word(of)}@elsewhere.test`,
    }),
  },
  soundcloud_email_suppressions: {
    row: (of) => ({
      ...base('soundcloud_email_suppressions', of),
      email: `${word(of)}@elsewhere.test`,
      reason: 'manual',
      created_by: actorId(of),
    }),
    set: (actor) => `lifted_at = now(), lifted_by = ${actor === undefined ? 'null' : `'${userId(actor)}'`}`,
  },
  soundcloud_notifications: {
    owners: OWNED_BY_LOGINS,
    row: (of) => ({
      ...base('soundcloud_notifications', of),
      user_id: userId(loginOf(of)),
      title: 'Hello',
      message: 'Something happened.',
    }),
    set: () => 'read = true',
  },
  soundcloud_automation_templates: {
    row: (of) => ({
      ...base('soundcloud_automation_templates', of),
      template_key: word(of),
      name: 'Reconnect',
      subject: 'Hello',
      body_html: '<p>Hello</p>',
      created_by: actorId(of),
    }),
  },
  soundcloud_automation_logs: {
    row: (of) => ({
      ...base('soundcloud_automation_logs', of),
      template_key: 'reconnect_prompt',
      recipient_email: `${word(of)}@elsewhere.test`,
    }),
  },
  soundcloud_automation_health: {
    row: (of) => ({ ...base('soundcloud_automation_health', of), automation_name: word(of) }),
    set: () => `status = 'disabled'`,
  },
};
