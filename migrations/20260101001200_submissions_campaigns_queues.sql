-- What is submitted, sold, queued, proposed and scheduled.
-- Every lifecycle table has closed_at, set by the workflow's last activity: terminal means closed_at is set.

create table public.soundcloud_submissions (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid,
  client_id uuid,
  service_type text,
  track_url text not null,
  track_name text,
  track_urn text,
  live_link_url text,
  artist_name text,
  family text,
  subgenres text[] not null default '{}',
  status public.soundcloud_submission_status not null default 'new',
  submitted_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by uuid references auth.users (id) on delete set null,
  reject_reason text,
  withdrawn_at timestamptz,
  support_date date,
  support_url text,
  scheduled_date date,
  auto_shifted boolean not null default false,
  shift_reason text,
  shift_count integer not null default 0 check (shift_count >= 0),
  expected_reach_min integer not null default 0,
  expected_reach_max integer not null default 0,
  expected_reach_planned integer not null default 0,
  suggested_supporters uuid[] not null default '{}',
  credits_consumed integer not null default 0,
  need_live_link boolean not null default false,
  qa_flag boolean not null default false,
  qa_reason text,
  notes text,
  ip_tracking_url text,
  ip_schedule_ids text[] not null default '{}',
  owner_id uuid references auth.users (id) on delete set null,
  resend_message_ids text[] not null default '{}',
  -- first day of the calendar month (org's timezone) whose quota this submission uses; null for imported history
  slot_month date check (extract(day from slot_month) = 1),
  -- set when the month's slot is given back (withdrawal, refund, closed without support)
  slot_returned_at timestamptz,
  imported_at timestamptz,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  -- imported history knows a client only
  constraint member_or_import check (member_id is not null or imported_at is not null),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id),
  foreign key (org_id, client_id) references public.soundcloud_clients (org_id, id) on delete set null (client_id)
);
create index idx_soundcloud_submissions_status on public.soundcloud_submissions (status);
create index idx_soundcloud_submissions_member_id on public.soundcloud_submissions (member_id);
create index idx_soundcloud_submissions_support_date on public.soundcloud_submissions (support_date);
create index idx_soundcloud_submissions_org_id on public.soundcloud_submissions (org_id);
create index idx_soundcloud_submissions_org_member on public.soundcloud_submissions (org_id, member_id, created_at desc);
create index idx_soundcloud_submissions_track on public.soundcloud_submissions (org_id, track_url, member_id);
create index idx_soundcloud_submissions_client_id on public.soundcloud_submissions (org_id, client_id);
create index idx_soundcloud_submissions_created_at on public.soundcloud_submissions (org_id, created_at desc, id);
create index idx_soundcloud_submissions_slots on public.soundcloud_submissions (org_id, member_id, slot_month)
  where slot_month is not null and slot_returned_at is null;
create index idx_soundcloud_submissions_open on public.soundcloud_submissions (org_id, submitted_at)
  where closed_at is null and imported_at is null;
-- Under row-level security `enum =` is no index condition; the partial predicate is.
create index idx_soundcloud_submissions_undecided on public.soundcloud_submissions (org_id, submitted_at)
  where status in ('new', 'pending', 'qa_flag');
create index idx_soundcloud_submissions_demand on public.soundcloud_submissions (org_id, support_date)
  where status = 'approved' and closed_at is null and imported_at is null;
create index idx_soundcloud_submissions_owner_id on public.soundcloud_submissions (owner_id) where owner_id is not null;
create index idx_soundcloud_submissions_decided_by on public.soundcloud_submissions (decided_by)
  where decided_by is not null;

create table public.soundcloud_campaigns (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  client_id uuid,
  salesperson_id uuid,
  artist_name text not null,
  track_name text not null,
  track_url text not null,
  goal_reposts integer not null default 0 check (goal_reposts >= 0),
  price_usd numeric(10, 2) check (price_usd >= 0),
  status public.soundcloud_campaign_status not null default 'intake',
  start_date date,
  end_date date,
  ip_tracking_url text,
  tracking_token text,
  baseline_captured_at timestamptz,
  attribution_end_date date,
  reported_at timestamptz,
  owner_id uuid references auth.users (id) on delete set null,
  created_by uuid references auth.users (id) on delete set null,
  approved_by uuid references auth.users (id) on delete set null,
  approved_at timestamptz,
  notes text,
  metadata jsonb not null default '{}',
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  constraint dates_in_order check (end_date >= start_date),
  foreign key (org_id, client_id) references public.soundcloud_clients (org_id, id) on delete set null (client_id),
  foreign key (org_id, salesperson_id) references public.soundcloud_salespersons (org_id, id)
    on delete set null (salesperson_id)
);
-- The token is the whole credential of a public tracking page, looked up before any org is known.
create unique index uq_soundcloud_campaigns_tracking_token on public.soundcloud_campaigns (tracking_token);
create index idx_soundcloud_campaigns_status on public.soundcloud_campaigns (status);
create index idx_soundcloud_campaigns_client_id on public.soundcloud_campaigns (org_id, client_id);
create index idx_soundcloud_campaigns_salesperson_id on public.soundcloud_campaigns (org_id, salesperson_id);
create index idx_soundcloud_campaigns_created_at on public.soundcloud_campaigns (org_id, created_at desc, id);
create index idx_soundcloud_campaigns_open on public.soundcloud_campaigns (org_id, start_date) where closed_at is null;
create index idx_soundcloud_campaigns_owner_id on public.soundcloud_campaigns (owner_id) where owner_id is not null;
create index idx_soundcloud_campaigns_created_by on public.soundcloud_campaigns (created_by) where created_by is not null;
create index idx_soundcloud_campaigns_approved_by on public.soundcloud_campaigns (approved_by)
  where approved_by is not null;

create table public.soundcloud_queues (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  date date not null,
  status text not null default 'draft' check (status in ('draft', 'approved', 'published', 'lapsed')),
  total_slots integer not null default 0,
  filled_slots integer not null default 0,
  created_by_id uuid references auth.users (id) on delete set null,
  approved_by_id uuid references auth.users (id) on delete set null,
  approved_at timestamptz,
  published_at timestamptz,
  settled_at timestamptz,
  notes text,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, date)
);
create index idx_soundcloud_queues_date on public.soundcloud_queues (date);
create index idx_soundcloud_queues_status on public.soundcloud_queues (status);
create index idx_soundcloud_queues_open on public.soundcloud_queues (org_id, date) where closed_at is null;
create index idx_soundcloud_queues_created_by_id on public.soundcloud_queues (created_by_id)
  where created_by_id is not null;
create index idx_soundcloud_queues_approved_by_id on public.soundcloud_queues (approved_by_id)
  where approved_by_id is not null;

create table public.soundcloud_queue_assignments (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  queue_id uuid not null,
  submission_id uuid not null,
  supporter_id uuid not null,
  position integer not null,
  -- the frozen price, with the reach and factor it came from
  credits_allocated integer not null default 0 check (credits_allocated >= 0),
  reach integer check (reach >= 0),
  reach_factor numeric(4, 3) check (reach_factor >= 0),
  status text not null default 'assigned' check (status in ('assigned', 'completed', 'skipped', 'failed')),
  outcome_reason text,
  slot_at timestamptz,
  completed_at timestamptz,
  proof_url text,
  proof_submitted_at timestamptz,
  provisional boolean not null default false,
  settled_at timestamptz,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, queue_id, position),
  unique (org_id, queue_id, submission_id, supporter_id),
  foreign key (org_id, queue_id) references public.soundcloud_queues (org_id, id),
  foreign key (org_id, submission_id) references public.soundcloud_submissions (org_id, id),
  foreign key (org_id, supporter_id) references public.soundcloud_members (org_id, id)
);
create index idx_soundcloud_queue_assignments_queue_id on public.soundcloud_queue_assignments (queue_id);
create index idx_soundcloud_queue_assignments_supporter_id on public.soundcloud_queue_assignments (supporter_id);
create index idx_soundcloud_queue_assignments_submission_id on public.soundcloud_queue_assignments (submission_id);
create index idx_soundcloud_queue_assignments_status on public.soundcloud_queue_assignments (status);
create index idx_soundcloud_queue_assignments_org_supporter
  on public.soundcloud_queue_assignments (org_id, supporter_id, slot_at);
create index idx_soundcloud_queue_assignments_org_submission
  on public.soundcloud_queue_assignments (org_id, submission_id);
create index idx_soundcloud_queue_assignments_unsettled on public.soundcloud_queue_assignments (org_id, queue_id)
  where settled_at is null;
create index idx_soundcloud_queue_assignments_open on public.soundcloud_queue_assignments (org_id, slot_at)
  where closed_at is null;

create table public.soundcloud_target_proposals (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  parent_type text not null check (parent_type in ('campaign', 'submission')),
  parent_id uuid not null,
  criteria jsonb not null default '{}',
  proposed_targets jsonb not null default '[]',
  total_capacity integer not null default 0,
  estimated_credits integer not null default 0,
  conflicts jsonb not null default '[]',
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default (now() + interval '24 hours'),
  accepted_at timestamptz,
  accepted_by uuid references auth.users (id) on delete set null
);
create index idx_soundcloud_target_proposals_parent
  on public.soundcloud_target_proposals (org_id, parent_type, parent_id, created_at desc);
create index idx_soundcloud_target_proposals_created_by on public.soundcloud_target_proposals (created_by)
  where created_by is not null;
create index idx_soundcloud_target_proposals_accepted_by on public.soundcloud_target_proposals (accepted_by)
  where accepted_by is not null;

create table public.soundcloud_schedules (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  -- null until the scheduler has named it
  ip_schedule_id text,
  parent_type text not null check (parent_type in ('campaign', 'submission')),
  parent_id uuid not null,
  assignment_id uuid,
  target_handle text not null,
  member_account_id uuid,
  scheduled_at timestamptz,
  completed_at timestamptz,
  status public.soundcloud_schedule_status not null default 'pending',
  proof_url text,
  credits_allocated integer not null default 0 check (credits_allocated >= 0),
  error_message text,
  retry_count integer not null default 0,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, ip_schedule_id),
  foreign key (org_id, assignment_id) references public.soundcloud_queue_assignments (org_id, id)
    on delete set null (assignment_id),
  foreign key (org_id, member_account_id) references public.soundcloud_member_accounts (org_id, id)
    on delete set null (member_account_id)
);
create index idx_soundcloud_schedules_status on public.soundcloud_schedules (status);
create index idx_soundcloud_schedules_parent on public.soundcloud_schedules (org_id, parent_type, parent_id);
create index idx_soundcloud_schedules_assignment_id on public.soundcloud_schedules (org_id, assignment_id);
create index idx_soundcloud_schedules_member_account_id
  on public.soundcloud_schedules (org_id, member_account_id, scheduled_at);
create index idx_soundcloud_schedules_open on public.soundcloud_schedules (org_id, scheduled_at)
  where closed_at is null;
