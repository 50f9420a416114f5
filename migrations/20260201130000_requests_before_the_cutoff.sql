-- A command that was asked for before a deadline counts, although its lifecycle finds it after it. So the moment of a
-- request is that of its insert, not of the transaction's begin, and whoever acts on a deadline waits for requests under
-- way: it takes the lock of the workflow's id for itself, which requests share.

create or replace function private.api_command_request(
  _org_id uuid,
  _id text,
  _workflow_id text,
  _name text,
  _payload jsonb
) returns table (created boolean, status text, code text, reason text, result jsonb)
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended('requests:' || _workflow_id, 0));
  insert into public.soundcloud_commands (org_id, id, workflow_id, name, payload, requested_by, created_at)
  values (
    _org_id, _id, _workflow_id, _name, _payload, pg_catalog.split_part(private.api_caller(), ':', 2)::uuid,
    pg_catalog.clock_timestamp()
  )
  on conflict on constraint soundcloud_commands_pkey do nothing;
  return query
    select found, c.status, c.code, c.reason, c.result
    from public.soundcloud_commands c
    where c.org_id = _org_id and c.id = _id;
end
$$;

-- Takes a request back that was not handed over, or that was refused before it was taken; one that has an outcome stays.
create function private.api_command_withdraw(_org_id uuid, _id text) returns void
language sql volatile security definer
set search_path = ''
as $$
  select private.require_own_org(_org_id);
  delete from public.soundcloud_commands c
  where c.org_id = _org_id and c.id = _id and c.status = 'pending'
    and c.requested_by = pg_catalog.split_part(private.api_caller(), ':', 2)::uuid;
$$;

revoke all on function private.api_command_withdraw(uuid, text) from public;
grant execute on function private.api_command_withdraw(uuid, text) to spark_api;
