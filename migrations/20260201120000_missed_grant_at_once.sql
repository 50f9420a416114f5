-- What makes an org miss the moment of its monthly grant asks for the grant itself, at once, instead of leaving it to the
-- first of the next month: the automation was off over the first and is switched on again, or the org moved to a zone
-- in which the first had come already. However it was changed: through the API or by an admin's own client.

-- Asks for the grant of the month that the org's timezone has now, if any wallet may miss it and the grant is not off.
-- Asking once too often changes nothing.
create function private.request_missed_grant() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _month text;
begin
  select pg_catalog.to_char(private.business_now() at time zone s.timezone, 'YYYY-MM') into _month
  from public.soundcloud_settings s
  where s.org_id = new.org_id
    and exists (
      select from public.soundcloud_repost_credit_wallet w
      where w.org_id = s.org_id
        and w.last_granted_at
          < date_trunc('month', private.business_now() at time zone s.timezone) at time zone s.timezone
    )
    and not exists (
      select from public.soundcloud_automation_health h
      where h.org_id = s.org_id and h.automation_name = 'monthly-credit-grant' and h.status = 'disabled'
    );
  if _month is not null then
    perform private.write_event(new.org_id, 'grant.requested', 'grant', new.org_id,
      pg_catalog.jsonb_build_object('month', _month), 'grant.requested:missed:' || pg_catalog.gen_random_uuid());
  end if;
  return null;
end;
$$;
revoke execute on function private.request_missed_grant() from public;

create trigger request_missed_grant after update of status on public.soundcloud_automation_health
  for each row
  when (
    new.automation_name = 'monthly-credit-grant' and old.status = 'disabled' and new.status <> 'disabled'
  )
  execute function private.request_missed_grant();

create trigger request_missed_grant after update of timezone on public.soundcloud_settings
  for each row when (old.timezone is distinct from new.timezone)
  execute function private.request_missed_grant();
