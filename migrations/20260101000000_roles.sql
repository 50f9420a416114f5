-- Logins, the integrator role, the schema of private functions, and the function that every later file builds on.
-- Roles belong to the whole server: everything here can run again for a second database of the same server, also at
-- the same moment.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'spark_api') then
    create role spark_api login noinherit nobypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'spark_worker') then
    create role spark_worker login noinherit nobypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'spark_integrator') then
    create role spark_integrator nologin noinherit nobypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

-- A role that was made by hand with more rights would silently switch row-level security off: refuse to go on.
do $$
declare
  _unsafe text;
begin
  select string_agg(rolname, ', ' order by rolname) into _unsafe
  from pg_catalog.pg_roles
  where (rolname in ('spark_api', 'spark_worker', 'spark_integrator', 'anon', 'authenticated')
         and (rolsuper or rolbypassrls or rolcreaterole or rolreplication))
     or (rolname in ('spark_api', 'spark_worker') and rolinherit);
  if _unsafe is not null then
    raise exception 'The roles % have attributes that pass by row-level security.', _unsafe
      using hint = 'alter role … nosuperuser nobypassrls nocreaterole noreplication; for spark_api and spark_worker also noinherit. Then migrate again.';
  end if;
end
$$;

-- The API works as one of these two, chosen per transaction with set_config('role', …, true). The logins inherit
-- nothing: without that step a request sees no table at all.
do $$
declare
  _role text;
begin
  foreach _role in array array['authenticated', 'spark_integrator'] loop
    if not exists (
      select from pg_catalog.pg_auth_members m
      join pg_catalog.pg_roles granted on granted.oid = m.roleid
      join pg_catalog.pg_roles login on login.oid = m.member
      where granted.rolname = _role and login.rolname = 'spark_api'
    ) then
      begin
        execute format('grant %I to spark_api', _role);
      exception
        when unique_violation then null;
        -- "tuple concurrently updated": another database of this server was given the same membership just now.
        when internal_error then null;
      end;
    end if;
  end loop;
end
$$;

revoke create on schema public from public;
grant usage on schema public to anon, authenticated, service_role, spark_api, spark_worker, spark_integrator;

-- EXECUTE without USAGE: policies call the functions of this schema for `authenticated` and `spark_integrator` (a
-- policy's functions are resolved when it is made), while a direct call by them fails on the schema. The logins have
-- USAGE; what they may call is granted one function at a time, and nothing is left to PUBLIC.
create schema if not exists private;
revoke all on schema private from public;
grant usage on schema private to spark_api, spark_worker;

-- The org this transaction works for: set with set_config('app.org_id', …, true); null when it is unset or empty.
create or replace function private.current_org() returns uuid
language sql stable parallel safe
set search_path = ''
as $$
  select nullif(pg_catalog.current_setting('app.org_id', true), '')::uuid
$$;
revoke execute on function private.current_org() from public;
grant execute on function private.current_org() to authenticated, spark_integrator, spark_api, spark_worker;
