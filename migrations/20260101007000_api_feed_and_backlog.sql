-- What the API needs beside its requests: news of notifications for the open streams, and the numbers of /metrics.

-- Tells whose notifications changed; the streams then read them under the reader's own rights. The user's id is all
-- that is said, because every session of the database may listen.
create function private.announce_notification() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform pg_catalog.pg_notify('soundcloud_notifications', new.user_id::text);
  return null;
end
$$;
revoke execute on function private.announce_notification() from public;

create trigger announce_on_insert after insert on public.soundcloud_notifications
  for each row execute function private.announce_notification();

-- How much waits, over all orgs: counts only, nothing of any org. Real time, because it is about our own machinery.
create function private.api_backlog() returns jsonb
language sql stable security definer
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object(
    'outbox_events', (select count(*) from public.soundcloud_events where relayed_at is null),
    'oldest_event_seconds', coalesce((
      select extract(epoch from pg_catalog.clock_timestamp() - min(created_at))
      from public.soundcloud_events where relayed_at is null
    ), 0),
    'pending_commands', (select count(*) from public.soundcloud_commands where status = 'pending'),
    'waits', coalesce((
      select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(grouped))
      from (
        select entity_type, stage, waiting_on, count(*) as waiting, count(*) filter (where breached) as breached
        from public.soundcloud_waits
        group by entity_type, stage, waiting_on
        order by entity_type, stage, waiting_on
      ) grouped
    ), '[]')
  )
$$;
revoke execute on function private.api_backlog() from public;
grant execute on function private.api_backlog() to spark_api;
