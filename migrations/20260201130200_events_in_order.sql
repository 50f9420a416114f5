-- Events of one row are handed over in the order they were written: the relay takes only the first that waits, so that
-- two of them never travel side by side, in one relay or in two. One that cannot be handed over holds those of its own
-- row up for eight tries (some four minutes), and no others.

create or replace function private.relay_take(_max integer)
returns table (
  id uuid,
  org_id uuid,
  type text,
  entity_type text,
  entity_id uuid,
  data jsonb,
  occurred_at timestamptz
)
language sql volatile security definer
set search_path = ''
as $$
  select e.id, e.org_id, e.type, e.entity_type, e.entity_id, e.data, e.occurred_at
  from public.soundcloud_events e
  where e.relayed_at is null
    and (e.next_relay_at is null or e.next_relay_at <= pg_catalog.clock_timestamp())
    and not exists (
      select from public.soundcloud_events earlier
      where earlier.relayed_at is null
        and earlier.org_id = e.org_id
        and earlier.entity_id = e.entity_id
        and earlier.entity_type = e.entity_type
        and earlier.seq < e.seq
        and earlier.relay_attempts < 8
    )
  order by e.seq
  limit _max
  for update skip locked
$$;
