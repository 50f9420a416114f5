-- An automation that an admin switched off is not run by ops either, as for the monthly grant.
create or replace function private.api_request_account_health(_org_id uuid, _key text) returns date
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
  if exists (
    select from public.soundcloud_automation_health h
    where h.org_id = _org_id and h.automation_name = 'account-health' and h.status = 'disabled'
  ) then
    perform private.refuse('automation_disabled',
      'An admin switched the daily look at the accounts off. Enable it first.');
  end if;
  select (private.business_now() at time zone s.timezone)::date into strict _today
  from public.soundcloud_settings s where s.org_id = _org_id;
  perform private.write_event(_org_id, 'account_health.requested', 'account_health', _org_id,
    pg_catalog.jsonb_build_object('date', _today), 'account_health.requested:' || _key);
  return _today;
end;
$$;
