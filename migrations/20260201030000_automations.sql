-- Scheduled automations: each org has a row of health for each, so that one that never ran is seen too; which are late;
-- and ops ask for a grant.

insert into public.soundcloud_automation_health (org_id, automation_name)
select s.org_id, n.name
from public.soundcloud_settings s
cross join unnest(array['monthly-credit-grant', 'account-health', 'daily-queue']) as n (name)
on conflict (org_id, automation_name) do nothing;

create function private.open_automations() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  insert into public.soundcloud_automation_health (org_id, automation_name)
  select new.org_id, n.name
  from unnest(array['monthly-credit-grant', 'account-health', 'daily-queue']) as n (name)
  on conflict (org_id, automation_name) do nothing;
  return null;
end;
$$;
create trigger open_automations after insert on public.soundcloud_settings
  for each row execute function private.open_automations();

-- The automations named in _late_after, of all orgs. _late_after gives for each the hours without a success after which
-- it is late; one that never succeeded counts from the business time at which its row was made.
create function private.scheduled_automations(_late_after jsonb)
returns table (org_id uuid, automation_name text, status text, last_success_at timestamptz, late boolean)
language sql stable security definer
set search_path = ''
as $$
  select h.org_id, h.automation_name, h.status, h.last_success_at,
         h.status <> 'disabled' and private.business_now() - coalesce(h.last_success_at, made.at)
           > pg_catalog.make_interval(hours => (_late_after ->> h.automation_name)::integer)
  from public.soundcloud_automation_health h
  cross join public.soundcloud_clock c
  cross join lateral (
    select c.business_start + (h.created_at - c.real_start) * (86400 / c.day_seconds)::double precision
  ) as made (at)
  where _late_after ? h.automation_name
$$;

-- For /metrics: counts over all orgs, nothing of any org.
create function private.api_automation_counts(_late_after jsonb)
returns table (automation text, status text, orgs integer, late integer)
language sql stable security definer
set search_path = ''
as $$
  select a.automation_name, a.status, count(*)::integer, (count(*) filter (where a.late))::integer
  from private.scheduled_automations(_late_after) a
  group by a.automation_name, a.status
  order by a.automation_name, a.status
$$;

-- Ops want the grant of a month (null: the current one of the org's timezone), now: the relay starts it. _key tells
-- requests apart.
create function private.api_request_grant(_org_id uuid, _month text, _key text) returns text
language plpgsql security definer
set search_path = ''
as $$
declare
  _current text;
  _wanted text;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin', 'moderator')) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org asks for a grant.';
  end if;
  select pg_catalog.to_char(private.business_now() at time zone s.timezone, 'YYYY-MM') into strict _current
  from public.soundcloud_settings s where s.org_id = _org_id;
  _wanted := coalesce(_month, _current);
  if _wanted > _current then
    perform private.refuse('month_not_begun',
      pg_catalog.format('%s has not begun. Grant %s or an earlier month.', _wanted, _current));
  end if;
  if exists (
    select from public.soundcloud_automation_health h
    where h.org_id = _org_id and h.automation_name = 'monthly-credit-grant' and h.status = 'disabled'
  ) then
    perform private.refuse('automation_disabled',
      'An admin switched the monthly grant off. Enable it first; every month it missed is then granted.');
  end if;
  perform private.write_event(_org_id, 'grant.requested', 'grant', _org_id,
    pg_catalog.jsonb_build_object('month', _wanted), 'grant.requested:' || _key);
  return _wanted;
end;
$$;

revoke execute on function
  private.open_automations(),
  private.scheduled_automations(jsonb),
  private.api_automation_counts(jsonb),
  private.api_request_grant(uuid, text, text)
from public;
grant execute on function
  private.api_automation_counts(jsonb),
  private.api_request_grant(uuid, text, text)
to spark_api;
grant execute on function private.scheduled_automations(jsonb) to spark_worker;
