-- Honest numbers, account health and the org's settings.

create table public.soundcloud_attribution_snapshots (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  parent_type text not null check (parent_type in ('campaign', 'submission')),
  parent_id uuid not null,
  -- business days since the start date; negative before it
  day_index integer not null,
  snapshot_date date not null,
  -- null = the artist hides the count; a hidden or unread count is never 0
  plays integer,
  likes integer,
  reposts integer,
  comments integer,
  followers integer,
  collected_at timestamptz not null default now(),
  collection_source text not null default 'scraper',
  metadata jsonb not null default '{}',
  unique (org_id, parent_type, parent_id, day_index)
);

create table public.soundcloud_integration_status (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  account_handle text not null,
  platform text not null default 'soundcloud',
  member_account_id uuid,
  status public.soundcloud_connection_status not null default 'linked',
  last_check_at timestamptz not null default now(),
  last_success_at timestamptz,
  error_count integer not null default 0,
  last_error_message text,
  reconnect_sent_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, account_handle, platform),
  foreign key (org_id, member_account_id) references public.soundcloud_member_accounts (org_id, id)
    on delete set null (member_account_id)
);
create index idx_soundcloud_integration_status_status on public.soundcloud_integration_status (status);
create index idx_soundcloud_integration_status_member_account_id
  on public.soundcloud_integration_status (org_id, member_account_id);

-- One row per org. Hours are consecutive hours of business time.
create table public.soundcloud_settings (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  decision_sla_hours integer not null default 24 check (decision_sla_hours > 0),
  proof_sla_hours integer not null default 24 check (proof_sla_hours > 0),
  inactivity_days integer not null default 90 check (inactivity_days > 0),
  preview_cache_days integer not null default 30 check (preview_cache_days > 0),
  default_reach_factor numeric(4, 3) not null default 0.060 check (default_reach_factor >= 0),
  target_band_mode public.soundcloud_target_band_mode not null default 'balance',
  size_tier_thresholds jsonb not null default
    '{"T1": {"min": 0, "max": 1000}, "T2": {"min": 1000, "max": 10000}, "T3": {"min": 10000, "max": 100000}, "T4": {"min": 100000, "max": 999999999}}',
  adjacency_matrix jsonb not null default '{}',
  slack_enabled boolean not null default false,
  slack_webhook text,
  slack_channel text not null default '#soundcloud-groups',
  timezone text not null default 'UTC',
  -- per tier: credits granted each month, largest balance + held
  tier_policy jsonb not null default
    '{"T1": {"monthly_grant": 1, "cap": 3}, "T2": {"monthly_grant": 1, "cap": 6}, "T3": {"monthly_grant": 2, "cap": 20}, "T4": {"monthly_grant": 3, "cap": 60}}',
  reach_per_credit integer not null default 600 check (reach_per_credit > 0),
  fee_percent numeric(5, 2) not null default 0 check (fee_percent between 0 and 100),
  four_eyes_threshold integer not null default 10 check (four_eyes_threshold >= 0),
  watch_hours integer not null default 48 check (watch_hours > 0),
  on_breach text not null default 'escalate' check (on_breach in ('escalate', 'approve', 'reject_refund')),
  auto_schedule boolean not null default true,
  unrepost_after_hours integer check (unrepost_after_hours > 0),
  intake_sla_hours integer not null default 48 check (intake_sla_hours > 0),
  complaint_sla_hours integer not null default 72 check (complaint_sla_hours > 0),
  -- submission review: when to warn (percent of the SLA), remind of and close a missing live link, refuse a duplicate,
  -- and how many shifts a submission may suffer before ops are asked
  review jsonb not null default
    '{"warn_percent": 75, "live_link_reminder_hours": [24, 72], "live_link_close_days": 7, "min_reject_words": 10, "duplicate_days": 30, "max_shifts": 14}',
  -- caps, spacing and cool-downs of the target builder and the queue
  pacing jsonb not null default
    '{"max_targets": 20, "reach_min_percent": 70, "reach_max_percent": 130, "accounts_daily_cap": 2, "rolling_cap": 10, "rolling_hours": 12, "spacing_minutes": 60, "track_cooldown_days": 30, "artist_cooldown_days": 7, "pair_cooldown_days": 7, "reliability_days": 90, "rest_days": 7, "rest_floor": 0.3, "proposal_hours": 24}',
  queue_hours jsonb not null default
    '{"generate_at": "06:00", "approval_cutoff": "12:00", "min_approval_hours": 2, "no_generation_after": "18:00", "window_start": "12:00", "window_end": "22:00", "backfill_min_hours": 8}',
  campaign_defaults jsonb not null default
    '{"spare_percent": 10, "send_ahead_hours": 24, "attribution_days": 7, "late_completion_hours": 72, "digest_weekday": 1, "digest_at": "09:00"}',
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id)
);
