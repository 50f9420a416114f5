-- Account health: since when an account is unhealthy, on which date it was last looked at, which prompts were sent; one
-- row for each day's sweep; how far Influence Planner's list was read.

-- unhealthy_since and the prompts belong to the present trouble; checked_on is the org's date of the last look at the
-- profile, so that two sweeps of one date count once.
alter table public.soundcloud_integration_status
  add column checked_on date,
  add column unhealthy_since timestamptz,
  add column reconnect_prompts integer not null default 0;

-- When the member became inactive (last_activity_at + settings.inactivity_days); null = active. Set by the daily sweep.
alter table public.soundcloud_members add column inactive_since timestamptz;

create table public.soundcloud_account_sweeps (
  org_id uuid not null references public.orgs (id),
  -- in the org's timezone
  date date not null,
  started_at timestamptz not null,
  -- null = under way
  finished_at timestamptz,
  -- null = under way; partial: the day ended before everything was looked at
  outcome text check (outcome in ('complete', 'partial')),
  -- what was found, counted in the transactions that wrote it
  counts jsonb not null default '{}',
  -- sentences for ops: what was skipped or could not be done, and what to do
  notes text[] not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (org_id, date)
);

create table public.soundcloud_provider_cursors (
  org_id uuid not null references public.orgs (id),
  provider text not null,
  -- the provider's own time of the newest row that was read; everything older is known
  read_until timestamptz not null,
  -- org's date of the last time the whole list was read
  full_sweep_on date not null,
  updated_at timestamptz not null default now(),
  primary key (org_id, provider)
);

create trigger update_soundcloud_account_sweeps_updated_at before update on public.soundcloud_account_sweeps
  for each row execute function public.update_updated_at_column();
create trigger update_soundcloud_provider_cursors_updated_at before update on public.soundcloud_provider_cursors
  for each row execute function public.update_updated_at_column();

alter table public.soundcloud_account_sweeps enable row level security;
revoke all on public.soundcloud_account_sweeps
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_account_sweeps to authenticated, service_role;
grant select, insert, update on public.soundcloud_account_sweeps to spark_worker;
create policy authenticated_select on public.soundcloud_account_sweeps for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_account_sweeps for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_provider_cursors enable row level security;
revoke all on public.soundcloud_provider_cursors
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select, insert, update on public.soundcloud_provider_cursors to spark_worker;
create policy worker_all on public.soundcloud_provider_cursors for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Ops want today's sweep now: the relay starts it. _key tells requests apart. Returns the org's date.
create function private.api_request_account_health(_org_id uuid, _key text) returns date
language plpgsql security definer
set search_path = ''
as $$
declare
  _today date;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin', 'moderator')) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org asks for a sweep.';
  end if;
  select (private.business_now() at time zone s.timezone)::date into strict _today
  from public.soundcloud_settings s where s.org_id = _org_id;
  perform private.write_event(_org_id, 'account_health.requested', 'account_health', _org_id,
    pg_catalog.jsonb_build_object('date', _today), 'account_health.requested:' || _key);
  return _today;
end;
$$;

-- What people without the settings may know of them: when a member counts as inactive, and the borders of the tiers.
create function private.api_tier_borders(_org_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
declare
  _borders jsonb;
begin
  perform private.require_own_org(_org_id);
  select s.size_tier_thresholds into strict _borders
  from public.soundcloud_settings s where s.org_id = _org_id;
  return _borders;
end;
$$;

-- For /metrics: counts over all orgs, nothing of any org.
create function private.api_account_health() returns jsonb
language sql stable security definer
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object(
    'accounts', coalesce((
      select pg_catalog.jsonb_object_agg(grouped.status, grouped.accounts)
      from (
        select a.status::text, count(*) as accounts from public.soundcloud_member_accounts a
        where a.platform = 'soundcloud' group by a.status
      ) as grouped
    ), '{}'),
    -- of the org that waits longest; business seconds
    'oldest_sweep_seconds', (
      select max(extract(epoch from private.business_now() - newest.at))
      from (
        select max(s.finished_at) as at from public.soundcloud_account_sweeps s group by s.org_id
      ) as newest
    ),
    'totals', coalesce((
      select pg_catalog.jsonb_object_agg(summed.name, summed.total)
      from (
        select c.key as name, sum(c.value::bigint) as total
        from public.soundcloud_account_sweeps s, pg_catalog.jsonb_each_text(s.counts) as c
        group by c.key
      ) as summed
    ), '{}')
  )
$$;

revoke execute on function
  private.api_request_account_health(uuid, text),
  private.api_tier_borders(uuid),
  private.api_account_health()
from public;
grant execute on function
  private.api_request_account_health(uuid, text),
  private.api_tier_borders(uuid),
  private.api_account_health()
to spark_api;
