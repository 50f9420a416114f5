-- What Supabase has and plain PostgreSQL lacks: its roles, the schemas `auth` and `extensions`, `auth.users`, and the
-- functions that read the caller from the token. The migrator applies this file before the first migration, and only
-- where the schema `auth` is absent; on Supabase nothing here runs. Works on PostgreSQL 15 to 18, also again on a
-- second database of the same server, because roles belong to the whole server.

-- One block per role: two databases of one server may be set up at the same moment, so "exists already" is a success
-- whether it is seen before or after the attempt.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'anon') then
    create role anon nologin noinherit;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'authenticated') then
    create role authenticated nologin noinherit;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

-- As on Supabase, service_role passes by row-level security. An owner that is no superuser may not hand that out; the
-- product itself never uses the role, so there it is made without.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'service_role') then
    begin
      create role service_role nologin noinherit bypassrls;
    exception when insufficient_privilege then
      create role service_role nologin noinherit;
    end;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

create schema auth;
create schema extensions;

grant usage on schema public, auth, extensions to anon, authenticated, service_role;

-- The columns of GoTrue's table that the product reads; names, types and the unique e-mail are GoTrue's.
create table auth.users (
  id uuid primary key default gen_random_uuid(),
  aud text default 'authenticated',
  role text default 'authenticated',
  -- GoTrue stores e-mails in lower case; here nobody else would see to it.
  email text check (email = lower(email)),
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_sso_user boolean not null default false,
  banned_until timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  deleted_at timestamptz,
  is_anonymous boolean not null default false
);
create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
-- On Supabase nobody but GoTrue and the owner reads this table; the row-level switch keeps that so after a stray grant.
alter table auth.users enable row level security;
revoke all on auth.users from public, anon, authenticated, service_role;

-- GoTrue's form. After a transaction with set_config(…, true) the setting is '' and not null, which a naive cast
-- cannot read.
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;

create function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;

create function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text
$$;

create function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

grant execute on function auth.uid(), auth.role(), auth.email(), auth.jwt() to anon, authenticated, service_role;
