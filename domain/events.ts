/**
 * The public event types (api.md, "Webhooks out"). An event is one row of `soundcloud_events`, written in the same
 * transaction as the change it tells of. Permanent: integrators depend on the names.
 */
export const EVENT_TYPES = [
  'submission.created',
  'submission.decided',
  'submission.breached',
  'submission.withdrawn',
  'submission.supported',
  'submission.unsupported',
  'queue.drafted',
  'queue.approved',
  'queue.published',
  'queue.lapsed',
  'queue.settled',
  'assignment.published',
  'assignment.completed',
  'assignment.skipped',
  'assignment.failed',
  'assignment.unreposted',
  'campaign.created',
  'campaign.drafted',
  'campaign.scheduled',
  'campaign.live',
  'campaign.paused',
  'campaign.resumed',
  'campaign.completed',
  'campaign.cancelled',
  'campaign.reported',
  'campaign.digest_due',
  'snapshot.captured',
  'credits.granted',
  'credits.changed',
  'member.joined',
  'member.promoted',
  'member.demoted',
  'member.reconnect_due',
  'member.disconnected',
  'member.reconnected',
  'inquiry.created',
  'inquiry.admitted',
  'inquiry.rejected',
  'complaint.created',
  'complaint.resolved',
  'endpoint.disabled',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Events that only drive our own workflows and are not offered to integrators. */
export const INTERNAL_EVENT_TYPES = [
  'org.created',
  'settings.changed',
  'grant.requested',
  'queue.requested',
  'submission.assigned',
  'submission.shifted',
  'assignment.proof_written',
  'assignment.dropped_out',
  'assignment.settled',
  'schedule.requested',
  'schedule.cancel_requested',
  'schedule.webhook_received',
  'schedule.reported',
  'account_health.requested',
] as const;

export type InternalEventType = (typeof INTERNAL_EVENT_TYPES)[number];
