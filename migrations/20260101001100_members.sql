-- Roles, genres, members and what hangs on a member.
-- Every reference between tenant tables is (org_id, x_id) -> (org_id, id): reference checks bypass row-level security,
-- and a single-column key would let one org point at another's row. A nullable reference is emptied with
-- `on delete set null (x_id)`; the plain form would empty org_id too.

create table public.soundcloud_user_roles (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  user_id uuid not null references auth.users (id) on delete cascade,
  role public.soundcloud_app_role not null,
  created_at timestamptz not null default now(),
  unique (org_id, user_id, role)
);
create index idx_soundcloud_user_roles_user_id on public.soundcloud_user_roles (user_id);
create index idx_soundcloud_user_roles_org_id on public.soundcloud_user_roles (org_id);

create table public.soundcloud_genre_families (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, name)
);

create table public.soundcloud_subgenres (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  family_id uuid not null,
  name text not null,
  patterns text[] not null default '{}',
  active boolean not null default true,
  order_index integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, family_id, name),
  foreign key (org_id, family_id) references public.soundcloud_genre_families (org_id, id)
);
create index idx_soundcloud_subgenres_family_id on public.soundcloud_subgenres (family_id);
create index idx_soundcloud_subgenres_patterns on public.soundcloud_subgenres using gin (patterns);

create table public.soundcloud_members (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  emails text[] not null default '{}',
  primary_email text,
  status public.soundcloud_member_status not null default 'active',
  followers integer not null default 0,
  soundcloud_followers integer not null default 0,
  size_tier public.soundcloud_size_tier not null default 'T1',
  tier_updated_at timestamptz,
  below_tier_syncs integer not null default 0 check (below_tier_syncs >= 0),
  soundcloud_url text,
  soundcloud_handle text,
  spotify_handle text,
  families text[] not null default '{}',
  subgenres text[] not null default '{}',
  genre_family_id uuid,
  manual_genres text[] not null default '{}',
  genre_notes text,
  monthly_submission_limit integer not null default 4 check (monthly_submission_limit >= 0),
  submissions_this_month integer not null default 0,
  monthly_credit_limit integer not null default 1000,
  -- null = settings.default_reach_factor
  reach_factor numeric(4, 3) default null check (reach_factor >= 0),
  credits_given integer not null default 0,
  credits_used integer not null default 0,
  net_credits integer not null default 0,
  credits_monthly_grant integer not null default 1,
  credits_balance integer not null default 1,
  credits_cap integer not null default 3,
  last_grant_at timestamptz,
  last_submission_at timestamptz,
  last_activity_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  constraint at_most_five_emails check (cardinality(emails) <= 5),
  foreign key (org_id, genre_family_id) references public.soundcloud_genre_families (org_id, id)
    on delete set null (genre_family_id)
);
comment on column public.soundcloud_members.followers is 'Deprecated: mirrors member_accounts.';
comment on column public.soundcloud_members.families is 'Deprecated: mirrors member_genres.';
comment on column public.soundcloud_members.subgenres is 'Deprecated: mirrors member_genres.';
comment on column public.soundcloud_members.credits_balance is 'Deprecated: mirrors the wallet''s balance.';
comment on column public.soundcloud_members.net_credits is 'Deprecated: mirrors the wallet''s balance.';
comment on column public.soundcloud_members.credits_given is 'Deprecated: mirrors earned + granted credits of the ledger.';
comment on column public.soundcloud_members.credits_used is 'Deprecated: mirrors captured credits of the ledger.';
create index idx_soundcloud_members_emails on public.soundcloud_members using gin (emails);
create index idx_soundcloud_members_status on public.soundcloud_members (status);
create index idx_soundcloud_members_org_id on public.soundcloud_members (org_id);
create index idx_soundcloud_members_genre_family_id on public.soundcloud_members (org_id, genre_family_id);
create index idx_soundcloud_members_handle on public.soundcloud_members (org_id, soundcloud_handle);
create index idx_soundcloud_members_created_at on public.soundcloud_members (org_id, created_at desc, id);

create table public.soundcloud_member_accounts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  platform text not null check (platform in ('soundcloud', 'spotify')),
  handle text not null,
  follower_count integer not null default 0 check (follower_count >= 0),
  status public.soundcloud_connection_status not null default 'linked',
  last_synced_at timestamptz,
  connection_data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, member_id, platform),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id)
);
create index idx_soundcloud_member_accounts_status on public.soundcloud_member_accounts (status);
create index idx_soundcloud_member_accounts_handle on public.soundcloud_member_accounts (org_id, platform, handle);

create table public.soundcloud_member_genres (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  genre_family_id uuid not null,
  subgenre_id uuid,
  assigned_by uuid references auth.users (id) on delete set null,
  assigned_at timestamptz not null default now(),
  -- a family without a subgenre is one row, not any number of them
  unique nulls not distinct (org_id, member_id, genre_family_id, subgenre_id),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id),
  foreign key (org_id, genre_family_id) references public.soundcloud_genre_families (org_id, id),
  -- restrict: emptying the column could make two rows equal
  foreign key (org_id, subgenre_id) references public.soundcloud_subgenres (org_id, id)
);
create index idx_soundcloud_member_genres_family_id on public.soundcloud_member_genres (org_id, genre_family_id);
create index idx_soundcloud_member_genres_subgenre_id on public.soundcloud_member_genres (org_id, subgenre_id);
create index idx_soundcloud_member_genres_assigned_by on public.soundcloud_member_genres (assigned_by)
  where assigned_by is not null;

create table public.soundcloud_avoid_list_items (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  member_id uuid not null,
  avoided_handle text not null,
  platform text not null default 'soundcloud',
  reason text,
  created_at timestamptz not null default now(),
  unique (org_id, member_id, avoided_handle, platform),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id)
);
create index idx_soundcloud_avoid_list_items_handle
  on public.soundcloud_avoid_list_items (org_id, platform, avoided_handle);

create table public.soundcloud_member_import_history (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  imported_by uuid references auth.users (id) on delete set null,
  filename text,
  total_records integer not null default 0,
  successful_imports integer not null default 0,
  failed_imports integer not null default 0,
  import_data jsonb not null default '{}',
  errors jsonb not null default '[]',
  status text check (status in ('pending', 'processing', 'completed', 'failed')),
  created_at timestamptz not null default now(),
  completed_at timestamptz
);
create index idx_soundcloud_member_import_history_org_id
  on public.soundcloud_member_import_history (org_id, created_at desc);
create index idx_soundcloud_member_import_history_status on public.soundcloud_member_import_history (status);
create index idx_soundcloud_member_import_history_imported_by on public.soundcloud_member_import_history (imported_by)
  where imported_by is not null;

-- Named by the existing database, detailed in none of its documents.
create table public.soundcloud_clients (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  emails text[] not null default '{}',
  notes text,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id)
);
create unique index uq_soundcloud_clients_name on public.soundcloud_clients (org_id, lower(name));

create table public.soundcloud_salespersons (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  emails text[] not null default '{}',
  notes text,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id)
);
create unique index uq_soundcloud_salespersons_name on public.soundcloud_salespersons (org_id, lower(name));
