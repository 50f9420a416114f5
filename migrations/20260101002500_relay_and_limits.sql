-- Work across orgs, by name: the relay, the reconciler and the request limits. spark_worker only; each is an exception
-- to "one transaction, one org" because it reads what to do next and touches no tenant's facts.

alter table public.soundcloud_events add column next_relay_at timestamptz;

create function private.announce_events() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform pg_catalog.pg_notify('soundcloud_events', '');
  return null;
end;
$$;
create trigger announce_events after insert on public.soundcloud_events
  for each statement execute function private.announce_events();

-- The oldest events that wait for the relay, locked until the caller's transaction ends; other relays skip them.
create function private.relay_take(_max integer)
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
  order by e.seq
  limit _max
  for update skip locked
$$;

create function private.relay_done(_ids uuid[]) returns void
language sql volatile security definer
set search_path = ''
as $$
  update public.soundcloud_events e
  set relayed_at = pg_catalog.clock_timestamp(),
      relay_attempts = e.relay_attempts + 1,
      relay_error = null,
      next_relay_at = null
  where e.id = any (_ids) and e.relayed_at is null
$$;

-- Puts an event back: after 1 s, 2 s, 4 s … at most 5 min (real time), so that one that cannot be relayed holds none
-- behind it up.
create function private.relay_failed(_id uuid, _error text) returns void
language sql volatile security definer
set search_path = ''
as $$
  update public.soundcloud_events e
  set relay_attempts = e.relay_attempts + 1,
      relay_error = pg_catalog.left(_error, 2000),
      next_relay_at = pg_catalog.clock_timestamp()
        + pg_catalog.make_interval(secs => least(300, pg_catalog.power(2, least(e.relay_attempts, 20))))
  where e.id = _id and e.relayed_at is null
$$;

-- Rows whose workflow should be open: neither closed nor imported history. Assignments have one from publication on,
-- schedules from the moment they are sent.
create function private.reconcile_candidates()
returns table (org_id uuid, entity_type text, entity_id uuid)
language sql stable security definer
set search_path = ''
as $$
  select s.org_id, 'submission', s.id from public.soundcloud_submissions s
  where s.closed_at is null and s.imported_at is null
  union all
  select c.org_id, 'campaign', c.id from public.soundcloud_campaigns c where c.closed_at is null
  union all
  select q.org_id, 'queue', q.id from public.soundcloud_queues q where q.closed_at is null
  union all
  select a.org_id, 'assignment', a.id
  from public.soundcloud_queue_assignments a
  join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id and q.status = 'published'
  where a.closed_at is null
  union all
  select s.org_id, 'schedule', s.id from public.soundcloud_schedules s
  where s.closed_at is null and s.status <> 'pending'
  union all
  select i.org_id, 'inquiry', i.id from public.soundcloud_inquiries i where i.closed_at is null
  union all
  select c.org_id, 'complaint', c.id from public.soundcloud_complaints c where c.closed_at is null
  union all
  select d.org_id, 'delivery', d.id from public.soundcloud_webhook_deliveries d where d.closed_at is null
  union all
  select r.org_id, 'import', r.id from public.soundcloud_import_runs r where r.closed_at is null
$$;

-- The orgs that have schedules to keep: for the worker's start.
create function private.active_orgs() returns table (org_id uuid, timezone text, queue_hours jsonb)
language sql stable security definer
set search_path = ''
as $$
  select s.org_id, s.timezone, s.queue_hours from public.soundcloud_settings s order by s.org_id
$$;

-- Leave for _units requests from the bucket of a provider key or endpoint; real time. When there are too few tokens
-- none is taken, and not_before says when there will be enough. Call it in a transaction of its own: the bucket's row
-- stays locked until that ends. A changed capacity or rate counts from the next call on.
create function private.take_request_leave(
  _key text,
  _capacity double precision,
  _refill_per_second double precision,
  _units double precision default 1
) returns table (allowed boolean, not_before timestamptz)
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  _bucket public.soundcloud_rate_buckets;
  _now timestamptz;
  _tokens double precision;
begin
  if _units > _capacity then
    raise exception using errcode = '22023',
      message = pg_catalog.format('%s requests at once never fit into a bucket of %s.', _units, _capacity),
      hint = 'Ask for fewer at once.';
  end if;
  insert into public.soundcloud_rate_buckets (key, tokens, capacity, refill_per_second, filled_at)
  values (_key, _capacity, _capacity, _refill_per_second, pg_catalog.clock_timestamp())
  on conflict (key) do nothing;
  select * into _bucket from public.soundcloud_rate_buckets b where b.key = _key for update;
  -- Read after the lock: time spent waiting for it refills the bucket too.
  _now := greatest(pg_catalog.clock_timestamp(), _bucket.filled_at);
  _tokens := least(_capacity,
    _bucket.tokens + _refill_per_second * extract(epoch from _now - _bucket.filled_at)::double precision);
  allowed := _tokens >= _units;
  if allowed then
    _tokens := _tokens - _units;
    not_before := _now;
  else
    not_before := _now + pg_catalog.make_interval(secs => (_units - _tokens) / _refill_per_second);
  end if;
  update public.soundcloud_rate_buckets b
  set tokens = _tokens, capacity = _capacity, refill_per_second = _refill_per_second, filled_at = _now
  where b.key = _key;
  return next;
end;
$$;

revoke execute on function
  private.announce_events(),
  private.relay_take(integer),
  private.relay_done(uuid[]),
  private.relay_failed(uuid, text),
  private.reconcile_candidates(),
  private.active_orgs(),
  private.take_request_leave(text, double precision, double precision, double precision)
from public;
grant execute on function
  private.relay_take(integer),
  private.relay_done(uuid[]),
  private.relay_failed(uuid, text),
  private.reconcile_candidates(),
  private.active_orgs(),
  private.take_request_leave(text, double precision, double precision, double precision)
to spark_worker;
