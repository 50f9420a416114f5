-- The outbox, what waits for whom, commands, and the machinery beside them.

create table public.soundcloud_events (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  seq bigint generated always as identity,
  type text not null,
  entity_type text not null,
  entity_id uuid not null,
  data jsonb not null default '{}',
  -- business time; created_at is real time
  occurred_at timestamptz not null,
  dedupe_key text,
  relayed_at timestamptz,
  relay_attempts integer not null default 0,
  relay_error text,
  created_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, dedupe_key)
);
create index idx_soundcloud_events_unrelayed on public.soundcloud_events (seq) where relayed_at is null;
create index idx_soundcloud_events_org_seq on public.soundcloud_events (org_id, seq);
create index idx_soundcloud_events_entity on public.soundcloud_events (org_id, entity_id, seq);

create table public.soundcloud_waits (
  org_id uuid not null references public.orgs (id),
  workflow_id text not null,
  entity_type text not null,
  entity_id uuid not null,
  stage text not null,
  waiting_on text not null,
  who_can_act text not null,
  how_to_act text not null,
  since timestamptz not null,
  due_at timestamptz,
  paused boolean not null default false,
  -- business milliseconds left of a paused timer
  remaining_ms bigint,
  breached boolean not null default false,
  updated_at timestamptz not null default now(),
  primary key (org_id, workflow_id)
);
create index idx_soundcloud_waits_due on public.soundcloud_waits (org_id, due_at);
create index idx_soundcloud_waits_entity on public.soundcloud_waits (org_id, entity_id);

create table public.soundcloud_commands (
  -- sha256 (hex) of caller, method, path and idempotency key
  id text not null check (id ~ '^[0-9a-f]{64}$'),
  org_id uuid not null references public.orgs (id),
  workflow_id text not null,
  name text not null,
  payload jsonb not null default '{}',
  status text not null default 'pending' check (status in ('pending', 'applied', 'refused')),
  code text,
  reason text,
  result jsonb,
  requested_by uuid,
  created_at timestamptz not null default now(),
  resolved_at timestamptz,
  primary key (org_id, id)
);
create index idx_soundcloud_commands_workflow_id on public.soundcloud_commands (org_id, workflow_id, created_at);
create index idx_soundcloud_commands_pending on public.soundcloud_commands (org_id, created_at) where status = 'pending';

-- The one row that maps real to business time, for everybody, for ever.
create table public.soundcloud_clock (
  id boolean primary key default true check (id),
  real_start timestamptz not null default now(),
  business_start timestamptz not null default now(),
  day_seconds numeric not null default 86400 check (day_seconds between 24 and 86400)
);

-- One token bucket per provider key or endpoint, counted over all processes. Real time.
create table public.soundcloud_rate_buckets (
  key text primary key,
  tokens double precision not null,
  capacity double precision not null check (capacity > 0),
  refill_per_second double precision not null check (refill_per_second > 0),
  filled_at timestamptz not null
);

create table public.soundcloud_ops_tasks (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  kind text not null,
  title text not null,
  body text not null default '',
  entity_type text,
  entity_id uuid,
  workflow_id text,
  -- what the console offers: label, method, path, body
  actions jsonb not null default '[]',
  status text not null default 'open' check (status in ('open', 'done', 'dismissed')),
  assigned_to uuid references auth.users (id) on delete set null,
  due_at timestamptz,
  dedupe_key text,
  resolved_at timestamptz,
  resolved_by uuid references auth.users (id) on delete set null,
  resolution jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, dedupe_key),
  constraint resolved_with_time check ((status = 'open') = (resolved_at is null))
);
create index idx_soundcloud_ops_tasks_status on public.soundcloud_ops_tasks (status);
create index idx_soundcloud_ops_tasks_open on public.soundcloud_ops_tasks (org_id, due_at) where status = 'open';
create index idx_soundcloud_ops_tasks_entity on public.soundcloud_ops_tasks (org_id, entity_id);
create index idx_soundcloud_ops_tasks_assigned_to on public.soundcloud_ops_tasks (assigned_to)
  where assigned_to is not null;
create index idx_soundcloud_ops_tasks_resolved_by on public.soundcloud_ops_tasks (resolved_by)
  where resolved_by is not null;

-- Every generated version of a queue, with what was dropped and why. The queue itself holds the current assignments.
create table public.soundcloud_queue_drafts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  queue_id uuid not null,
  revision integer not null check (revision > 0),
  cause text not null check (cause in ('generated', 'regenerated', 'swapped', 'dropped', 'added', 'approved', 'published')),
  assignments jsonb not null default '[]',
  unfilled jsonb not null default '[]',
  unused jsonb not null default '[]',
  explanation jsonb not null default '{}',
  input_hash text,
  created_by uuid references auth.users (id) on delete set null,
  -- business time
  generated_at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (org_id, queue_id, revision),
  foreign key (org_id, queue_id) references public.soundcloud_queues (org_id, id)
);
create index idx_soundcloud_queue_drafts_created_by on public.soundcloud_queue_drafts (created_by)
  where created_by is not null;

-- What a track URL resolved to; kept for settings.preview_cache_days.
create table public.soundcloud_preview_cache (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  track_url text not null,
  kind text not null check (kind in ('track', 'set', 'user', 'not_found')),
  urn text,
  data jsonb not null default '{}',
  fetched_at timestamptz not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, track_url)
);
create index idx_soundcloud_preview_cache_expires_at on public.soundcloud_preview_cache (expires_at);

-- `spark_<id>_<secret>`: only the secret's SHA-256 is kept.
create table public.soundcloud_api_keys (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  secret_hash text not null check (secret_hash ~ '^[0-9a-f]{64}$'),
  -- `<resource>:read` or `<resource>:write`
  scopes text[] not null default '{}',
  created_by uuid references auth.users (id) on delete set null,
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id)
);
create index idx_soundcloud_api_keys_created_by on public.soundcloud_api_keys (created_by) where created_by is not null;
create index idx_soundcloud_api_keys_revoked_by on public.soundcloud_api_keys (revoked_by) where revoked_by is not null;

create table public.soundcloud_audit_log (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  seq bigint generated always as identity,
  actor_type text not null check (actor_type in ('user', 'api_key', 'system')),
  -- no foreign key: the trail outlives the people in it
  actor_id uuid,
  action text not null,
  entity_type text not null,
  entity_id uuid,
  command_id text,
  request_id text,
  reason text,
  before jsonb,
  after jsonb,
  details jsonb not null default '{}',
  -- business time; created_at is real time
  occurred_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index idx_soundcloud_audit_log_org_seq on public.soundcloud_audit_log (org_id, seq desc);
create index idx_soundcloud_audit_log_entity on public.soundcloud_audit_log (org_id, entity_id, seq desc);

-- Answers kept for 24 h per caller and key.
create table public.soundcloud_idempotency_keys (
  org_id uuid not null references public.orgs (id),
  -- `user:<uuid>` or `key:<uuid>`
  caller text not null,
  key text not null check (length(key) between 1 and 255),
  method text not null,
  path text not null,
  -- sha256 (hex) of method, path and body: another request under the same key is refused
  request_hash text not null,
  status text not null default 'in_flight' check (status in ('in_flight', 'done')),
  response_status integer,
  response_headers jsonb,
  response_body jsonb,
  -- an in-flight row whose process died may be taken over after this
  locked_until timestamptz not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  completed_at timestamptz,
  primary key (org_id, caller, key)
);
create index idx_soundcloud_idempotency_keys_expires_at on public.soundcloud_idempotency_keys (expires_at);

-- What we are about to ask of a system that cannot tell a repetition from a new request.
create table public.soundcloud_provider_intents (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  provider text not null,
  action text not null,
  idempotency_key text not null,
  entity_type text not null,
  entity_id uuid not null,
  request jsonb not null,
  status text not null default 'intended'
    check (status in ('intended', 'sent', 'confirmed', 'failed', 'unknown', 'cancelled')),
  external_id text,
  response jsonb,
  error text,
  attempts integer not null default 0,
  sent_at timestamptz,
  resolved_at timestamptz,
  resolved_by text check (resolved_by in ('response', 'evidence', 'webhook', 'ops')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, idempotency_key)
);
create index idx_soundcloud_provider_intents_status on public.soundcloud_provider_intents (status);
create index idx_soundcloud_provider_intents_entity on public.soundcloud_provider_intents (org_id, entity_id);
create index idx_soundcloud_provider_intents_open on public.soundcloud_provider_intents (org_id, created_at)
  where status in ('intended', 'sent', 'unknown');
