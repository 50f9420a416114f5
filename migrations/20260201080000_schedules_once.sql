-- Items in Influence Planner: a workflow for each from the moment it is asked for, and the way in for the vendor's webhooks.

-- Rows whose workflow should be open: neither closed nor imported history. Assignments have one from publication on; so
-- have schedules of assignments; those of campaigns are rows only, until there is an intent to send them.
create or replace function private.reconcile_candidates()
returns table (org_id uuid, entity_type text, entity_id uuid, entity_key text)
language sql stable security definer
set search_path = ''
as $$
  select s.org_id, 'submission', s.id, null::text from public.soundcloud_submissions s
  where s.closed_at is null and s.imported_at is null
  union all
  select c.org_id, 'campaign', c.id, null from public.soundcloud_campaigns c where c.closed_at is null
  union all
  select q.org_id, 'queue', q.id, q.date::text from public.soundcloud_queues q where q.closed_at is null
  union all
  select a.org_id, 'assignment', a.id, null
  from public.soundcloud_queue_assignments a
  join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id and q.status = 'published'
  where a.closed_at is null
  union all
  select s.org_id, 'schedule', s.id, null from public.soundcloud_schedules s
  where s.closed_at is null
    and (s.status <> 'pending' or s.assignment_id is not null or exists (
      select from public.soundcloud_provider_intents i where i.org_id = s.org_id and i.entity_id = s.id))
  union all
  select i.org_id, 'inquiry', i.id, null from public.soundcloud_inquiries i where i.closed_at is null
  union all
  select c.org_id, 'complaint', c.id, null from public.soundcloud_complaints c where c.closed_at is null
  union all
  select d.org_id, 'delivery', d.id, null from public.soundcloud_webhook_deliveries d where d.closed_at is null
  union all
  select r.org_id, 'import', r.id, null from public.soundcloud_import_runs r where r.closed_at is null
$$;

-- Takes a webhook of Influence Planner whose signature was checked: stored once, handed to its schedule by the outbox.
-- The schedule is the one with the vendor's id and the handle; else, while nobody knows the id because the answer to our
-- request was lost, the only one that was sent for the same media and handle. Returns
--   taken     an event for its workflow was written
--   repeated  it came before
--   ignored   its schedule is closed
--   unknown   no such schedule; kept for the orgs that know the handle, if any
create function private.api_receive_schedule_webhook(
  _external_id text,
  _type text,
  _payload jsonb,
  _schedule_id text,
  _handle text,
  _media_url text,
  _report jsonb
) returns text
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  _found public.soundcloud_schedules;
  _ids uuid[];
  _receipt uuid;
begin
  select s.* into _found
  from public.soundcloud_schedules s
  where s.ip_schedule_id = _schedule_id
    and (_handle is null or pg_catalog.lower(s.target_handle) = pg_catalog.lower(_handle))
  order by s.closed_at desc nulls first
  limit 1
  for update;
  if _found.id is null and not exists (
    select from public.soundcloud_schedules s where s.ip_schedule_id = _schedule_id
  ) then
    select pg_catalog.array_agg(s.id) into _ids
    from public.soundcloud_provider_intents i
    join public.soundcloud_schedules s on s.org_id = i.org_id and s.id = i.entity_id
    where i.provider = 'influence-planner'
      and i.status in ('sent', 'unknown')
      and i.entity_type = 'schedule'
      and i.request ->> 'mediaUrl' = _media_url
      and pg_catalog.lower(s.target_handle) = pg_catalog.lower(_handle)
      and s.ip_schedule_id is null
      and s.closed_at is null;
    if pg_catalog.cardinality(_ids) = 1 then
      select s.* into _found from public.soundcloud_schedules s where s.id = _ids[1] for update;
    end if;
  end if;

  if _found.id is null then
    insert into public.soundcloud_webhook_receipts
      (org_id, provider, external_id, type, payload, processed_at, outcome)
    select distinct a.org_id, 'influence-planner', _external_id, _type, _payload, pg_catalog.clock_timestamp(),
      'unknown_target'
    from public.soundcloud_member_accounts a
    where a.platform = 'soundcloud' and a.handle = pg_catalog.lower(_handle)
    on conflict on constraint soundcloud_webhook_receipts_org_id_provider_external_id_key do nothing;
    return 'unknown';
  end if;

  insert into public.soundcloud_webhook_receipts (org_id, provider, external_id, type, payload, processed_at, outcome)
  values (_found.org_id, 'influence-planner', _external_id, _type, _payload,
    case when _found.closed_at is not null then pg_catalog.clock_timestamp() end,
    case when _found.closed_at is not null then 'ignored' end)
  on conflict on constraint soundcloud_webhook_receipts_org_id_provider_external_id_key do nothing
  returning id into _receipt;
  if _receipt is null then
    return 'repeated';
  end if;
  if _found.closed_at is not null then
    return 'ignored';
  end if;
  perform private.write_event(_found.org_id, 'schedule.webhook_received', 'schedule', _found.id,
    _report || pg_catalog.jsonb_build_object('receipt_id', _receipt), 'schedule.webhook_received:' || _external_id);
  return 'taken';
end;
$$;
revoke execute on function
  private.api_receive_schedule_webhook(text, text, jsonb, text, text, text, jsonb)
from public;
grant execute on function
  private.api_receive_schedule_webhook(text, text, jsonb, text, text, text, jsonb)
to spark_api;
