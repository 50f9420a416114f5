/**
 * Every way in which our database differs from the spec, by the numbered points of the design's data page
 * (docs/decisions/0010 says why). What is not listed here is a mistake in one of the two.
 */

/** Point 4: values added to enums. */
export const ADDED_ENUM_VALUES: Readonly<Record<string, string[]>> = {
  soundcloud_campaign_status: ['cancelled'],
};

/** Point 4, and decision 0083: values added to text columns with a fixed set. */
export const ADDED_VALUES: Readonly<Record<string, string[]>> = {
  'soundcloud_queues.status': ['lapsed'],
  'soundcloud_automation_health.status': ['not_built'],
  'soundcloud_mail_events.object_type': ['campaign', 'assignment', 'notification'],
};

/** Point 4 (a hidden count is NULL, never 0) and point 8 (null = the setting applies). */
export const DROPPED_DEFAULTS: readonly string[] = [
  'soundcloud_attribution_snapshots.plays',
  'soundcloud_attribution_snapshots.likes',
  'soundcloud_attribution_snapshots.reposts',
  'soundcloud_attribution_snapshots.comments',
  'soundcloud_attribution_snapshots.followers',
  'soundcloud_members.reach_factor',
];

/** Instants in business time, in which inactivity is counted (decision 0078). */
export const CHANGED_DEFAULTS: Readonly<Record<string, string>> = {
  'soundcloud_members.last_activity_at': 'COALESCE(private.business_now(), now())',
};

/** Columns the spec does not have. */
export const ADDED_COLUMNS: Readonly<Record<string, string[]>> = {
  // Point 4.
  soundcloud_members: ['below_tier_syncs', 'inactive_since'],
  soundcloud_submissions: [
    'withdrawn_at',
    'decided_at',
    'decided_by',
    'reject_reason',
    'client_id',
    'service_type',
    'track_name',
    'track_urn',
    'live_link_url',
    'imported_at',
    'shift_count',
    'closed_at',
    // The month whose quota is used, and whether the slot was given back (decision 0011).
    'slot_month',
    'slot_returned_at',
    // The support was concluded; its mail may still be on the way.
    'support_ended_at',
  ],
  soundcloud_campaigns: ['owner_id', 'salesperson_id', 'tracking_token', 'reported_at', 'closed_at'],
  soundcloud_queues: [
    'settled_at',
    'closed_at',
    // Until when ops may approve; the newest draft, for If-Match; what became of it (decision 0075).
    'approve_by',
    'revision',
    'totals',
  ],
  soundcloud_queue_assignments: [
    'settled_at',
    'slot_at',
    'provisional',
    'closed_at',
    // The frozen price keeps what it came from (rules, "Credits"); an outcome keeps its reason.
    'reach',
    'reach_factor',
    'outcome_reason',
    // What the supporter was promised with it, beside the price (decision 0087).
    'fee_percent',
    'unrepost_after_hours',
    // What a submission is still owed follows from the rows (lifecycles, "assignment").
    'replacement_for',
  ],
  soundcloud_schedules: ['assignment_id', 'closed_at'],
  soundcloud_target_proposals: ['accepted_at', 'accepted_by'],
  soundcloud_inquiries: ['closed_at'],
  soundcloud_complaints: ['closed_at'],
  // Lateness counts from switching on (decision 0073).
  soundcloud_automation_health: ['consecutive_errors', 'expected_since'],
  // The drip of prompts, and two sweeps of one date counting once (lifecycles, "accountHealth").
  soundcloud_integration_status: ['checked_on', 'unhealthy_since', 'reconnect_prompts'],
  // Point 5.
  soundcloud_repost_credit_wallet: ['held', 'version'],
  // Point 6; occurred_at is business time, created_at stays real.
  soundcloud_repost_credit_ledger: ['version', 'idempotency_key', 'request_hash', 'forfeited', 'occurred_at'],
  // Every external effect has a key in the database as well.
  soundcloud_email_logs: ['idempotency_key'],
  soundcloud_automation_logs: ['idempotency_key'],
  soundcloud_notifications: ['dedupe_key'],
  // Point 9.
  soundcloud_settings: [
    'timezone',
    'tier_policy',
    'reach_per_credit',
    'fee_percent',
    'four_eyes_threshold',
    'watch_hours',
    'on_breach',
    'auto_schedule',
    'unrepost_after_hours',
    'intake_sla_hours',
    'complaint_sla_hours',
    'review',
    'pacing',
    'queue_hours',
    'campaign_defaults',
    'account_health',
    'version',
  ],
};

/** Point 7, and the two tables the spec names without describing them. */
export const ADDED_TABLES: readonly string[] = [
  // What each day's look at the accounts came to, and how far Influence Planner's list was read.
  'soundcloud_account_sweeps',
  'soundcloud_api_keys',
  // Since when and until when numbers are tracked, and their gaps: what keeps a lifecycle that outlives the review.
  'soundcloud_attributions',
  'soundcloud_audit_log',
  'soundcloud_clients',
  'soundcloud_clock',
  'soundcloud_commands',
  'soundcloud_credit_change_requests',
  'soundcloud_credit_holds',
  'soundcloud_email_suppressions',
  'soundcloud_events',
  'soundcloud_idempotency_keys',
  'soundcloud_import_rows',
  'soundcloud_import_runs',
  // What each day's look at an org's books found.
  'soundcloud_ledger_checks',
  'soundcloud_ops_tasks',
  'soundcloud_preview_cache',
  'soundcloud_proof_checks',
  'soundcloud_provider_cursors',
  'soundcloud_provider_intents',
  // Few tokens are given (50 per 12 h), so they are shared by all workers.
  'soundcloud_provider_tokens',
  'soundcloud_queue_drafts',
  'soundcloud_rate_buckets',
  'soundcloud_salespersons',
  'soundcloud_waits',
  'soundcloud_webhook_attempts',
  'soundcloud_webhook_deliveries',
  'soundcloud_webhook_endpoints',
  'soundcloud_webhook_receipts',
];

/**
 * Required beyond the spec. Point 1 makes org_id NOT NULL everywhere; a column with a default is NOT NULL too (point 4
 * takes that for granted); these have no default and are required because their row says nothing without them.
 */
export const REQUIRED_BEYOND_SPEC: readonly string[] = [
  'soundcloud_user_roles.user_id',
  'soundcloud_subgenres.family_id',
  'soundcloud_member_accounts.member_id',
  'soundcloud_member_accounts.platform',
  'soundcloud_member_genres.member_id',
  'soundcloud_member_genres.genre_family_id',
  'soundcloud_avoid_list_items.member_id',
  'soundcloud_queue_assignments.queue_id',
  'soundcloud_queue_assignments.submission_id',
  'soundcloud_queue_assignments.supporter_id',
  'soundcloud_target_proposals.parent_type',
  'soundcloud_schedules.parent_type',
  'soundcloud_repost_credit_wallet.member_id',
  'soundcloud_repost_credit_ledger.member_id',
  'soundcloud_mail_events.object_type',
  'soundcloud_attribution_snapshots.parent_type',
];

/** Unique constraints beyond the spec's, on spec tables (decision 0010); columns after org_id. */
export const ADDED_UNIQUES: Readonly<Record<string, string[][]>> = {
  soundcloud_user_roles: [['user_id', 'role']],
  soundcloud_subgenres: [['family_id', 'name']],
  soundcloud_queues: [['date']],
  soundcloud_queue_assignments: [['replacement_for']],
  // One open schedule for an assignment (decision 0076).
  soundcloud_schedules: [['assignment_id']],
  soundcloud_campaigns: [['tracking_token']],
  soundcloud_inquiries: [['lower(email)']],
  soundcloud_email_logs: [['idempotency_key']],
  soundcloud_automation_logs: [['idempotency_key']],
  soundcloud_notifications: [['dedupe_key']],
  soundcloud_repost_credit_ledger: [['member_id', 'version'], ['idempotency_key']],
  soundcloud_settings: [[]],
};
