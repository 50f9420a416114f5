-- An automation that was off, or whose org moved to another timezone, is not late at once: lateness counts from the later
-- of its last success and of when it was to run anew.

-- Business time from which on it was to run: when it was switched on again, or the time of its last success moved to the
-- org's new timezone, where its next date may begin up to 25 hours later. Null = nothing of the kind.
alter table public.soundcloud_automation_health add column expected_since timestamptz;

create function private.automation_switched_on() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  new.expected_since := private.business_now();
  return new;
end;
$$;
create trigger automation_switched_on before update of status on public.soundcloud_automation_health
  for each row when (old.status = 'disabled' and new.status <> 'disabled')
  execute function private.automation_switched_on();

create function private.automations_move() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  update public.soundcloud_automation_health h
  set expected_since =
    (coalesce(greatest(h.last_success_at, h.expected_since), private.business_now()) at time zone old.timezone)
      at time zone new.timezone
  where h.org_id = new.org_id;
  return null;
end;
$$;
create trigger automations_move after update of timezone on public.soundcloud_settings
  for each row when (old.timezone is distinct from new.timezone)
  execute function private.automations_move();

revoke execute on function private.automation_switched_on(), private.automations_move() from public;

-- As before (20260201030000), but for expected_since.
create or replace function private.scheduled_automations(_late_after jsonb)
returns table (org_id uuid, automation_name text, status text, last_success_at timestamptz, late boolean)
language sql stable security definer
set search_path = ''
as $$
  select h.org_id, h.automation_name, h.status, h.last_success_at,
         h.status <> 'disabled'
           and private.business_now() - coalesce(greatest(h.last_success_at, h.expected_since), made.at)
             > pg_catalog.make_interval(hours => (_late_after ->> h.automation_name)::integer)
  from public.soundcloud_automation_health h
  cross join public.soundcloud_clock c
  cross join lateral (
    select c.business_start + (h.created_at - c.real_start) * (86400 / c.day_seconds)::double precision
  ) as made (at)
  where _late_after ? h.automation_name
$$;

-- What was switched on before this migration.
update public.soundcloud_automation_health h
set expected_since = a.at
from (
  select l.org_id, l.details ->> 'name' as name, max(l.occurred_at) as at
  from public.soundcloud_audit_log l
  where l.action = 'automation.enable'
  group by 1, 2
) as a
where h.org_id = a.org_id and h.automation_name = a.name and h.status <> 'disabled';
