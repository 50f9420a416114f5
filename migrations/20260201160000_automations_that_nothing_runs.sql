-- An automation that nothing runs yet is not healthy: it is not_built. Which those are changes with the parts of the
-- product that write such mails; the first run that reports makes it healthy by itself (docs/decisions/0083).

-- The one that follows it in this statement allows one value more.
alter table public.soundcloud_automation_health
  -- squawk-ignore ban-drop-constraint
  drop constraint soundcloud_automation_health_status_check,
  add constraint soundcloud_automation_health_status_check
    check (status in ('healthy', 'warning', 'error', 'disabled', 'not_built')) not valid;

-- Whoever makes the row, or switches it on again: of healthy and not_built the one that is true.
create function private.say_whether_automation_is_built() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.status := case
    when new.total_runs = 0 and new.automation_name in ('inquiry-status-emails', 'notification-emails') then 'not_built'
    else 'healthy'
  end;
  return new;
end;
$$;
revoke execute on function private.say_whether_automation_is_built() from public;

create trigger say_whether_it_is_built before insert or update of status on public.soundcloud_automation_health
  for each row when (new.status in ('healthy', 'not_built'))
  execute function private.say_whether_automation_is_built();

-- The check sees what the trigger made of it.
alter policy authenticated_update on public.soundcloud_automation_health
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and status in ('healthy', 'disabled', 'not_built')
  );

update public.soundcloud_automation_health set status = 'healthy' where status = 'healthy' and total_runs = 0;
