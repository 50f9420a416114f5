-- Business time, refusals, and who is calling: what the functions after this one share.

-- The clock starts as real time. Until the first org is made it may be set otherwise (the demo and tests compress the
-- day); from then on it never changes, because every stored business time was read from it.
insert into public.soundcloud_clock default values;

create function private.guard_clock() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if not exists (select from public.soundcloud_settings) then
      return null;
    end if;
  end if;
  raise exception using errcode = 'SPK01', message = 'clock_fixed',
    detail = 'The clock is fixed once the first org exists. Use a new database for another length of the day.';
end;
$$;
create trigger guard_clock before update or delete or truncate on public.soundcloud_clock
  for each statement execute function private.guard_clock();

-- Sets the clock of a new database; the same setting again changes nothing. Owner only.
create function private.set_clock(_day_seconds numeric, _business_start timestamptz default null)
returns public.soundcloud_clock
language plpgsql
set search_path = ''
as $$
declare
  _clock public.soundcloud_clock;
begin
  select * into strict _clock from public.soundcloud_clock for update;
  if _clock.day_seconds = _day_seconds and _business_start is null then
    return _clock;
  end if;
  update public.soundcloud_clock
  set day_seconds = _day_seconds,
      real_start = pg_catalog.clock_timestamp(),
      business_start = coalesce(_business_start, pg_catalog.clock_timestamp())
  returning * into _clock;
  return _clock;
end;
$$;

-- Business time now; a transaction that works for another moment sets app.business_now.
create function private.business_now() returns timestamptz
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  _set text := nullif(pg_catalog.current_setting('app.business_now', true), '');
begin
  if _set is not null then
    return _set::timestamptz;
  end if;
  return (
    select c.business_start
      + (pg_catalog.clock_timestamp() - c.real_start) * (86400 / c.day_seconds)::double precision
    from public.soundcloud_clock c
  );
end;
$$;

-- First day of an org's calendar month at an instant.
create function private.month_of(_org_id uuid, _at timestamptz) returns date
language sql stable security definer
set search_path = ''
as $$
  select pg_catalog.date_trunc('month', _at at time zone s.timezone)::date
  from public.soundcloud_settings s
  where s.org_id = _org_id
$$;

-- A business refusal: a stable code, a text that names the next step, and where useful an id in the hint.
create function private.refuse(_code text, _detail text, _hint text default '') returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = 'SPK01', message = _code, detail = _detail, hint = _hint;
end;
$$;

-- The role this transaction works as, also inside definer functions: one set with set_config('role', …), or the login.
create function private.acting_role() returns text
language sql stable
set search_path = ''
as $$
  select case pg_catalog.current_setting('role')
    when 'none' then session_user::text
    else pg_catalog.current_setting('role')
  end
$$;

-- Whether the owner of our tables works as itself: migrations, org creation, doctor.
create function private.is_owner() returns boolean
language sql stable
set search_path = ''
as $$
  select pg_catalog.current_setting('role') = 'none'
    and pg_catalog.pg_has_role(
      session_user,
      (select c.relowner from pg_catalog.pg_class c where c.oid = 'public.soundcloud_settings'::pg_catalog.regclass),
      'USAGE'
    )
$$;

-- Definer functions pass by row-level security: one that takes an org works for the transaction's own org only, so that
-- a worker scoped to one org cannot post to another's wallet. The owner may name any.
create function private.require_own_org(_org_id uuid) returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if _org_id is null or (_org_id is distinct from private.current_org() and not private.is_owner()) then
    perform private.refuse('wrong_org',
      'This transaction is not scoped to that org. Set app.org_id to the org the call is about.');
  end if;
end;
$$;

create function private.refuse_change() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = 'SPK01', message = 'append_only',
    detail = pg_catalog.format('%s is append-only: %s is not possible. Correct with a new row.',
      tg_table_name, tg_op);
end;
$$;

-- `enable always`: session_replication_role does not switch it off.
create trigger append_only before update or delete or truncate on public.soundcloud_repost_credit_ledger
  for each statement execute function private.refuse_change();
alter table public.soundcloud_repost_credit_ledger enable always trigger append_only;
create trigger append_only before update or delete or truncate on public.soundcloud_audit_log
  for each statement execute function private.refuse_change();
alter table public.soundcloud_audit_log enable always trigger append_only;

revoke execute on function
  private.guard_clock(),
  private.set_clock(numeric, timestamptz),
  private.business_now(),
  private.month_of(uuid, timestamptz),
  private.refuse(text, text, text),
  private.acting_role(),
  private.is_owner(),
  private.require_own_org(uuid),
  private.refuse_change()
from public;
grant execute on function private.business_now() to authenticated, spark_integrator, spark_api, spark_worker;
