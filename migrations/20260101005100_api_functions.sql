-- What the API writes beside a person's own rights: the audit trail, kept answers, commands; and how an API key is
-- recognised. `authenticated` has no rights on these tables (with them a member could forge a row), so the API leaves
-- the caller's role, set_config('role', 'none', true), and calls these as its login, in the same transaction. The
-- token's claims stay set, so the functions still know who asked and believe nobody about it.

-- The caller in one text, as idempotency keys are scoped: `user:<id>` or `key:<id>`; null without either.
create function private.api_caller() returns text
language sql stable
set search_path = ''
as $$
  select case
    when nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' = 'spark_integrator'
      then 'key:' || (pg_catalog.current_setting('request.jwt.claims', true)::jsonb ->> 'key_id')
    when auth.uid() is not null then 'user:' || auth.uid()::text
  end
$$;

-- One row of the audit trail; the actor is who the claims say. `_occurred_at` is business time.
create function private.api_audit(
  _org_id uuid,
  _action text,
  _entity_type text,
  _entity_id uuid,
  _occurred_at timestamptz,
  _command_id text default null,
  _request_id text default null,
  _reason text default null,
  _before jsonb default null,
  _after jsonb default null,
  _details jsonb default '{}'
) returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  _caller text := private.api_caller();
  _id uuid;
begin
  perform private.require_own_org(_org_id);
  insert into public.soundcloud_audit_log (
    org_id, actor_type, actor_id, action, entity_type, entity_id, command_id, request_id, reason, before, after,
    details, occurred_at
  ) values (
    _org_id,
    case when _caller like 'user:%' then 'user' when _caller like 'key:%' then 'api_key' else 'system' end,
    pg_catalog.split_part(_caller, ':', 2)::uuid,
    _action, _entity_type, _entity_id, _command_id, _request_id, _reason, _before, _after, _details, _occurred_at
  ) returning id into _id;
  return _id;
end
$$;

-- The audit trail, newest first, for the org's admins; `_before_seq` continues a page.
create function private.api_audit_list(
  _org_id uuid,
  _limit integer,
  _before_seq bigint default null,
  _entity_id uuid default null
) returns setof public.soundcloud_audit_log
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin')) then
    raise exception using
      errcode = '42501', message = 'Only an admin of the org reads its audit trail.';
  end if;
  return query
    select entry.*
    from public.soundcloud_audit_log entry
    where entry.org_id = _org_id
      and (_before_seq is null or entry.seq < _before_seq)
      and (_entity_id is null or entry.entity_id = _entity_id)
    order by entry.seq desc
    limit least(_limit, 250);
end
$$;

-- Claims an Idempotency-Key for a request. outcome:
--   claimed    do the work, then call api_idempotency_finish (or _release when the caller shall try again)
--   replay     the same request was answered before: send the stored answer
--   in_flight  the same request is being worked on
--   mismatch   the key belongs to another request
-- Times here are real time: a retry policy does not speed up with the business day. A claim whose process died is
-- taken over after `_lock_seconds`; an answer is kept 24 h.
create function private.api_idempotency_begin(
  _org_id uuid,
  _caller text,
  _key text,
  _method text,
  _path text,
  _request_hash text,
  _lock_seconds integer default 60
) returns table (outcome text, response_status integer, response_headers jsonb, response_body jsonb)
language plpgsql security definer
set search_path = ''
as $$
declare
  _kept public.soundcloud_idempotency_keys;
begin
  perform private.require_own_org(_org_id);
  insert into public.soundcloud_idempotency_keys as kept
    (org_id, caller, key, method, path, request_hash, locked_until, expires_at)
  values (
    _org_id, _caller, _key, _method, _path, _request_hash,
    pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => _lock_seconds),
    pg_catalog.clock_timestamp() + interval '24 hours'
  )
  on conflict on constraint soundcloud_idempotency_keys_pkey do update
    set method = excluded.method,
        path = excluded.path,
        request_hash = excluded.request_hash,
        status = 'in_flight',
        response_status = null,
        response_headers = null,
        response_body = null,
        locked_until = excluded.locked_until,
        expires_at = excluded.expires_at,
        created_at = pg_catalog.clock_timestamp(),
        completed_at = null
    where kept.expires_at <= pg_catalog.clock_timestamp()
       or (kept.status = 'in_flight' and kept.locked_until <= pg_catalog.clock_timestamp()
           and kept.request_hash = excluded.request_hash);
  if found then
    -- Whoever claims a key sweeps a few expired ones of the org, so that the table needs no keeper.
    delete from public.soundcloud_idempotency_keys
    where ctid in (
      select old.ctid from public.soundcloud_idempotency_keys old
      where old.expires_at <= pg_catalog.clock_timestamp() and old.org_id = _org_id
      limit 20
      for update skip locked
    );
    return query select 'claimed', null::integer, null::jsonb, null::jsonb;
    return;
  end if;
  select * into _kept from public.soundcloud_idempotency_keys k
  where k.org_id = _org_id and k.caller = _caller and k.key = _key;
  if _kept.request_hash is distinct from _request_hash then
    return query select 'mismatch', null::integer, null::jsonb, null::jsonb;
  elsif _kept.status = 'done' then
    return query select 'replay', _kept.response_status, _kept.response_headers, _kept.response_body;
  else
    return query select 'in_flight', null::integer, null::jsonb, null::jsonb;
  end if;
end
$$;

-- Keeps the answer of a claimed key. Returns false when the key is not in flight any more: another process took it
-- over and answered first.
create function private.api_idempotency_finish(
  _org_id uuid,
  _caller text,
  _key text,
  _response_status integer,
  _response_headers jsonb,
  _response_body jsonb
) returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  update public.soundcloud_idempotency_keys k
  set status = 'done',
      response_status = _response_status,
      response_headers = _response_headers,
      response_body = _response_body,
      completed_at = pg_catalog.clock_timestamp()
  where k.org_id = _org_id and k.caller = _caller and k.key = _key and k.status = 'in_flight';
  return found;
end
$$;

-- Frees a claimed key without an answer, so that the same key may be tried again.
create function private.api_idempotency_release(_org_id uuid, _caller text, _key text) returns void
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  delete from public.soundcloud_idempotency_keys k
  where k.org_id = _org_id and k.caller = _caller and k.key = _key and k.status = 'in_flight';
end
$$;

-- Notes a command before it is sent, once: `created` is false when the same command id was requested before, and the
-- row then tells how far it is.
create function private.api_command_request(
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
  insert into public.soundcloud_commands (org_id, id, workflow_id, name, payload, requested_by)
  values (_org_id, _id, _workflow_id, _name, _payload, pg_catalog.split_part(private.api_caller(), ':', 2)::uuid)
  on conflict on constraint soundcloud_commands_pkey do nothing;
  return query
    select found, c.status, c.code, c.reason, c.result
    from public.soundcloud_commands c
    where c.org_id = _org_id and c.id = _id;
end
$$;

-- A command as whoever asked for it, or the org's ops, may read it; no row for anybody else.
create function private.api_command_get(_org_id uuid, _id text)
returns setof public.soundcloud_commands
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  return query
    select c.*
    from public.soundcloud_commands c
    where c.org_id = _org_id
      and c.id = _id
      and (c.requested_by = pg_catalog.split_part(private.api_caller(), ':', 2)::uuid or private.is_ops(_org_id));
end
$$;

-- The API key behind `spark_<id>_<secret>`, by the SHA-256 (hex) of its secret: no row when it is unknown, wrong,
-- revoked or expired. Runs before any org is chosen, so it may look into every org. last_used_at moves at most once a
-- minute, so that a busy key does not rewrite its row with every request.
create function private.api_key_verify(_key_id uuid, _secret_hash text)
returns table (org_id uuid, name text, scopes text[])
language plpgsql security definer
set search_path = ''
as $$
begin
  update public.soundcloud_api_keys k
  set last_used_at = pg_catalog.clock_timestamp()
  where k.id = _key_id
    and k.secret_hash = _secret_hash
    and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > pg_catalog.clock_timestamp())
    and (k.last_used_at is null or k.last_used_at < pg_catalog.clock_timestamp() - interval '1 minute');
  return query
    select k.org_id, k.name, k.scopes
    from public.soundcloud_api_keys k
    where k.id = _key_id
      and k.secret_hash = _secret_hash
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > pg_catalog.clock_timestamp());
end
$$;

revoke execute on function
  private.api_caller(),
  private.api_audit(uuid, text, text, uuid, timestamptz, text, text, text, jsonb, jsonb, jsonb),
  private.api_audit_list(uuid, integer, bigint, uuid),
  private.api_idempotency_begin(uuid, text, text, text, text, text, integer),
  private.api_idempotency_finish(uuid, text, text, integer, jsonb, jsonb),
  private.api_idempotency_release(uuid, text, text),
  private.api_command_request(uuid, text, text, text, jsonb),
  private.api_command_get(uuid, text),
  private.api_key_verify(uuid, text)
from public;
grant execute on function
  private.api_audit(uuid, text, text, uuid, timestamptz, text, text, text, jsonb, jsonb, jsonb),
  private.api_audit_list(uuid, integer, bigint, uuid),
  private.api_idempotency_begin(uuid, text, text, text, text, text, integer),
  private.api_idempotency_finish(uuid, text, text, integer, jsonb, jsonb),
  private.api_idempotency_release(uuid, text, text),
  private.api_command_request(uuid, text, text, text, jsonb),
  private.api_command_get(uuid, text),
  private.api_key_verify(uuid, text)
to spark_api;
