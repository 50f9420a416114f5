-- The daily queue that an admin switched off is not asked for by a moderator either, as grants and sweeps are not. A queue
-- that is there already is still told as that: it can be approved or lapse.
create or replace function private.api_request_queue(_org_id uuid, _date date, _at timestamptz) returns void
language plpgsql security definer
set search_path = ''
as $$
declare
  _queue public.soundcloud_queues;
  _found boolean;
begin
  perform private.require_own_org(_org_id);
  if not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org asks for a queue.';
  end if;
  select * into _queue from public.soundcloud_queues q where q.org_id = _org_id and q.date = _date for update;
  _found := found;
  if _found and _queue.status <> 'lapsed' then
    perform private.refuse('queue_exists', pg_catalog.format(
      'The queue of %s is there already (%s). Approve it, or generate its draft anew.', _date, _queue.status));
  end if;
  if exists (
    select from public.soundcloud_automation_health h
    where h.org_id = _org_id and h.automation_name = 'daily-queue' and h.status = 'disabled'
  ) then
    perform private.refuse('automation_disabled', 'An admin switched the daily queue off. Enable it first.');
  end if;
  if _found then
    update public.soundcloud_queues q
    set status = 'draft', approve_by = null, closed_at = null
    where q.org_id = _org_id and q.id = _queue.id;
  end if;
  insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
  values (
    _org_id, 'queue.requested', 'queue', coalesce(_queue.id, _org_id),
    pg_catalog.jsonb_build_object('date', _date, 'by', private.api_caller()), _at,
    -- Each request starts the workflow once; who asks twice is told that the queue is there.
    'queue.requested:' || pg_catalog.gen_random_uuid()::text
  );
end
$$;
