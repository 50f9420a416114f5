-- As before (20260201160330), but an org without settings is refused with the next step instead of failing the request.
create or replace function private.api_account_health_settings(_org_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
declare
  _settings jsonb;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin', 'moderator')) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org sees how accounts stand.';
  end if;
  select s.account_health into _settings
  from public.soundcloud_settings s where s.org_id = _org_id;
  if _settings is null then
    perform private.refuse('not_found', 'The org has no settings yet. Run `spark org create` for it again.');
  end if;
  return _settings;
end;
$$;
