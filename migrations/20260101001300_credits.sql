-- Wallets and the append-only ledger. private.post_credits is the only writer.

create table public.soundcloud_repost_credit_wallet (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  -- what can be spent; credits reserved by open holds are in `held`
  balance integer not null,
  held integer not null default 0 check (held >= 0),
  monthly_grant integer not null,
  cap integer not null,
  last_granted_at timestamptz not null default date_trunc('month', now()),
  -- number of the newest ledger entry
  version bigint not null default 0 check (version >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, member_id),
  constraint positive_balance check (balance >= 0),
  constraint valid_cap check (cap >= monthly_grant),
  constraint balance_within_cap check (balance <= cap),
  constraint balance_and_held_within_cap check (balance + held <= cap),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id)
);

create table public.soundcloud_repost_credit_ledger (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  version bigint not null check (version > 0),
  change_amount integer not null,
  balance_after integer not null check (balance_after >= 0),
  -- what did not fit below the cap and was lost
  forfeited integer not null default 0 check (forfeited >= 0),
  reason text not null,
  reference_type text,
  reference_id uuid,
  idempotency_key text not null,
  -- sha256 of the request that made this entry: the same key with another request is an error
  request_hash text not null,
  created_by uuid references auth.users (id),
  created_at timestamptz not null default now(),
  -- business time of the change; created_at is real time
  occurred_at timestamptz not null,
  metadata jsonb not null default '{}',
  unique (org_id, id),
  unique (org_id, member_id, version),
  unique (org_id, idempotency_key),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id)
);
create index idx_soundcloud_repost_credit_ledger_member_id on public.soundcloud_repost_credit_ledger (member_id);
create index idx_soundcloud_repost_credit_ledger_created_at
  on public.soundcloud_repost_credit_ledger (created_at desc);
create index idx_soundcloud_repost_credit_ledger_reference
  on public.soundcloud_repost_credit_ledger (org_id, reference_id) where reference_id is not null;
create index idx_soundcloud_repost_credit_ledger_created_by on public.soundcloud_repost_credit_ledger (created_by)
  where created_by is not null;

-- Credits reserved for one assignment: created once, resolved once.
create table public.soundcloud_credit_holds (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  -- whose wallet pays: the artist
  member_id uuid not null,
  assignment_id uuid not null,
  amount integer not null check (amount > 0),
  status text not null default 'open' check (status in ('open', 'captured', 'released')),
  hold_entry_id uuid not null,
  resolving_entry_id uuid,
  resolved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, assignment_id),
  unique (org_id, hold_entry_id),
  unique (org_id, resolving_entry_id),
  constraint resolved_once check ((status = 'open') = (resolving_entry_id is null)
    and (status = 'open') = (resolved_at is null)),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id),
  foreign key (org_id, assignment_id) references public.soundcloud_queue_assignments (org_id, id),
  foreign key (org_id, hold_entry_id) references public.soundcloud_repost_credit_ledger (org_id, id),
  foreign key (org_id, resolving_entry_id) references public.soundcloud_repost_credit_ledger (org_id, id)
);
create index idx_soundcloud_credit_holds_member_id on public.soundcloud_credit_holds (org_id, member_id);
create index idx_soundcloud_credit_holds_open on public.soundcloud_credit_holds (org_id, member_id)
  where status = 'open';

-- A manual change above settings.four_eyes_threshold waits here for a second ops person.
create table public.soundcloud_credit_change_requests (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  amount integer not null check (amount <> 0),
  reason text not null,
  status text not null default 'pending' check (status in ('pending', 'approved', 'rejected', 'withdrawn')),
  requested_by uuid not null references auth.users (id),
  requested_at timestamptz not null default now(),
  decided_by uuid references auth.users (id),
  decided_at timestamptz,
  decision_note text,
  entry_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, entry_id),
  constraint two_people check (status not in ('approved', 'rejected') or decided_by <> requested_by),
  constraint decided_with_time check ((status = 'pending') = (decided_at is null)),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id),
  foreign key (org_id, entry_id) references public.soundcloud_repost_credit_ledger (org_id, id)
);
create index idx_soundcloud_credit_change_requests_member_id
  on public.soundcloud_credit_change_requests (org_id, member_id);
create index idx_soundcloud_credit_change_requests_status on public.soundcloud_credit_change_requests (status);
create index idx_soundcloud_credit_change_requests_pending
  on public.soundcloud_credit_change_requests (org_id, requested_at) where status = 'pending';
create index idx_soundcloud_credit_change_requests_requested_by
  on public.soundcloud_credit_change_requests (requested_by);
create index idx_soundcloud_credit_change_requests_decided_by
  on public.soundcloud_credit_change_requests (decided_by) where decided_by is not null;

-- Evidence that a repost is, or is not, there.
create table public.soundcloud_proof_checks (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  assignment_id uuid not null,
  phase text not null check (phase in ('proof', 'watch', 'audit')),
  source text not null check (source in ('member_url', 'scheduler', 'reposters', 'user_reposts')),
  verdict text not null check (verdict in ('seen', 'absent', 'inconclusive')),
  -- the same list showed another repost that is known to be later than this slot; without it `absent` does not count
  positive_control boolean not null default false,
  facts jsonb not null default '{}',
  -- one row per planned check, however often the activity runs
  check_key text not null,
  checked_at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (org_id, assignment_id, check_key),
  foreign key (org_id, assignment_id) references public.soundcloud_queue_assignments (org_id, id)
);
