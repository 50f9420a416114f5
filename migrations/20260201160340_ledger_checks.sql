-- Whether the books add up is looked at once a business day for each org, not only by who runs `spark doctor`: one row
-- a day, whose newest is for /metrics and for telling admins once.

create table public.soundcloud_ledger_checks (
  org_id uuid not null references public.orgs (id),
  -- in the org's timezone
  checked_on date not null,
  -- business time
  checked_at timestamptz not null,
  -- at most 100 of each rule
  violations integer not null check (violations >= 0),
  -- the rules that are broken, as db/ledger-invariants.ts names them
  rules text[] not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (org_id, checked_on)
);
create trigger update_soundcloud_ledger_checks_updated_at before update on public.soundcloud_ledger_checks
  for each row execute function public.update_updated_at_column();

alter table public.soundcloud_ledger_checks enable row level security;
revoke all on public.soundcloud_ledger_checks
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select, insert, update on public.soundcloud_ledger_checks to spark_worker;
create policy worker_all on public.soundcloud_ledger_checks for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Orgs whose books are to be looked at: not yet on the org's present date; or found broken, so that a repair shows at the
-- next look instead of the next day. Those that wait longest first.
create function private.ledger_checks_due()
returns table (org_id uuid, date date)
language sql stable security definer
set search_path = ''
as $$
  select s.org_id, today.date
  from public.soundcloud_settings s
  cross join lateral (select (private.business_now() at time zone s.timezone)::date) as today (date)
  left join lateral (
    select * from public.soundcloud_ledger_checks newest
    where newest.org_id = s.org_id
    order by newest.checked_on desc
    limit 1
  ) c on true
  where c.org_id is null or c.checked_on < today.date or c.violations > 0
  order by c.checked_at nulls first, s.org_id
$$;

-- For /metrics: over all orgs, nothing of any org; null before any look.
create function private.api_ledger_violations() returns integer
language sql stable security definer
set search_path = ''
as $$
  select sum(newest.violations)::integer
  from (
    select distinct on (c.org_id) c.violations
    from public.soundcloud_ledger_checks c
    order by c.org_id, c.checked_on desc
  ) newest
$$;

revoke execute on function private.ledger_checks_due(), private.api_ledger_violations() from public;
grant execute on function private.ledger_checks_due() to spark_worker;
grant execute on function private.api_ledger_violations() to spark_api;
