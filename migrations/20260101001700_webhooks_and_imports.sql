-- Webhooks out and in, and imports.

create table public.soundcloud_webhook_endpoints (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  url text not null,
  description text,
  -- empty = every type
  event_types text[] not null default '{}',
  -- encrypted at rest; the previous one signs beside it until it expires
  secret_ciphertext bytea not null,
  previous_secret_ciphertext bytea,
  previous_secret_expires_at timestamptz,
  rate_limit_per_second numeric(8, 2) not null default 10 check (rate_limit_per_second > 0),
  active boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  failing_since timestamptz,
  version bigint not null default 1,
  created_by uuid references auth.users (id) on delete set null,
  created_by_key uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  foreign key (org_id, created_by_key) references public.soundcloud_api_keys (org_id, id)
    on delete set null (created_by_key)
);
create index idx_soundcloud_webhook_endpoints_active on public.soundcloud_webhook_endpoints (org_id) where active;
create index idx_soundcloud_webhook_endpoints_created_by on public.soundcloud_webhook_endpoints (created_by)
  where created_by is not null;
create index idx_soundcloud_webhook_endpoints_created_by_key
  on public.soundcloud_webhook_endpoints (org_id, created_by_key);

create table public.soundcloud_webhook_deliveries (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  endpoint_id uuid not null,
  event_id uuid not null,
  -- 0 = the first delivery, n = the nth replay
  replay integer not null default 0 check (replay >= 0),
  status text not null default 'pending' check (status in ('pending', 'delivered', 'exhausted', 'cancelled')),
  attempt_count integer not null default 0,
  next_attempt_at timestamptz,
  last_attempt_at timestamptz,
  last_status_code integer,
  last_error text,
  delivered_at timestamptz,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, endpoint_id, event_id, replay),
  foreign key (org_id, endpoint_id) references public.soundcloud_webhook_endpoints (org_id, id),
  foreign key (org_id, event_id) references public.soundcloud_events (org_id, id)
);
create index idx_soundcloud_webhook_deliveries_status on public.soundcloud_webhook_deliveries (status);
create index idx_soundcloud_webhook_deliveries_event_id on public.soundcloud_webhook_deliveries (org_id, event_id);
create index idx_soundcloud_webhook_deliveries_created_at
  on public.soundcloud_webhook_deliveries (org_id, created_at desc, id);
create index idx_soundcloud_webhook_deliveries_open on public.soundcloud_webhook_deliveries (org_id, endpoint_id)
  where closed_at is null;
create index idx_soundcloud_webhook_deliveries_exhausted
  on public.soundcloud_webhook_deliveries (org_id, endpoint_id, created_at) where status = 'exhausted';

create table public.soundcloud_webhook_attempts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  delivery_id uuid not null,
  attempt_no integer not null check (attempt_no > 0),
  manual boolean not null default false,
  status_code integer,
  duration_ms integer,
  error text,
  response_headers jsonb,
  -- at most the first 16 kB
  response_body text check (octet_length(response_body) <= 16384),
  attempted_at timestamptz not null default now(),
  unique (org_id, delivery_id, attempt_no),
  foreign key (org_id, delivery_id) references public.soundcloud_webhook_deliveries (org_id, id)
);

-- Inbound: stored once per provider and id, answered fast, then handled.
create table public.soundcloud_webhook_receipts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  provider text not null check (provider in ('resend', 'influence-planner')),
  external_id text not null,
  type text not null,
  payload jsonb not null,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  outcome text check (outcome in ('applied', 'ignored', 'unknown_target', 'failed')),
  error text,
  unique (org_id, provider, external_id)
);
create index idx_soundcloud_webhook_receipts_unprocessed
  on public.soundcloud_webhook_receipts (org_id, received_at) where processed_at is null;

create table public.soundcloud_import_runs (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  kind text not null check (kind in ('submissions', 'members')),
  filename text,
  file_sha256 text,
  encoding text,
  header jsonb not null default '[]',
  options jsonb not null default '{}',
  dry_run boolean not null default false,
  status text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed')),
  total_rows integer not null default 0,
  imported_rows integer not null default 0,
  duplicate_rows integer not null default 0,
  skipped_rows integer not null default 0,
  error text,
  created_by uuid references auth.users (id) on delete set null,
  started_at timestamptz,
  completed_at timestamptz,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id)
);
create index idx_soundcloud_import_runs_status on public.soundcloud_import_runs (status);
create index idx_soundcloud_import_runs_created_at on public.soundcloud_import_runs (org_id, created_at desc, id);
create index idx_soundcloud_import_runs_open on public.soundcloud_import_runs (org_id, created_at) where closed_at is null;
create index idx_soundcloud_import_runs_created_by on public.soundcloud_import_runs (created_by)
  where created_by is not null;

-- Every row of a file ends as imported, duplicate or skipped, with a reason code and all its cells.
create table public.soundcloud_import_rows (
  org_id uuid not null references public.orgs (id),
  run_id uuid not null,
  -- counts records, not physical lines
  row_number integer not null check (row_number > 0),
  raw jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'imported', 'duplicate', 'skipped')),
  code text,
  message text,
  submission_id uuid,
  member_id uuid,
  created_at timestamptz not null default now(),
  primary key (org_id, run_id, row_number),
  foreign key (org_id, run_id) references public.soundcloud_import_runs (org_id, id),
  foreign key (org_id, submission_id) references public.soundcloud_submissions (org_id, id)
    on delete set null (submission_id),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id) on delete set null (member_id)
);
create index idx_soundcloud_import_rows_status on public.soundcloud_import_rows (org_id, run_id, status);
create index idx_soundcloud_import_rows_submission_id on public.soundcloud_import_rows (org_id, submission_id)
  where submission_id is not null;
create index idx_soundcloud_import_rows_member_id on public.soundcloud_import_rows (org_id, member_id)
  where member_id is not null;
