-- What the daily queue remembers beside the spec, and its two doors: ops ask for the queue of a date, and a supporter
-- reads the tracks of the own assignments.

-- approve_by    until when ops may approve (business time); null while the queue is to be generated (again)
-- revision      the newest of its drafts: what ops see, and what they name with If-Match
-- totals        what became of it, written when it is settled
alter table public.soundcloud_queues
  add column approve_by timestamptz,
  add column revision integer not null default 0,
  add column totals jsonb not null default '{}';
alter table public.soundcloud_queues
  add constraint revision_not_negative check (revision >= 0) not valid;

-- Asks for the queue of a date, for ops: the relay starts its workflow. A queue that lapsed is opened again; any other
-- queue of that date is refused.
create function private.api_request_queue(_org_id uuid, _date date, _at timestamptz) returns void
language plpgsql security definer
set search_path = ''
as $$
declare
  _queue public.soundcloud_queues;
begin
  perform private.require_own_org(_org_id);
  if not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org asks for a queue.';
  end if;
  select * into _queue from public.soundcloud_queues q where q.org_id = _org_id and q.date = _date for update;
  if found then
    if _queue.status <> 'lapsed' then
      perform private.refuse('queue_exists', pg_catalog.format(
        'The queue of %s is there already (%s). Approve it, or generate its draft anew.', _date, _queue.status));
    end if;
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

-- The settings a queue is made by, for ops: moderators do not read the settings as a whole. Without Slack's address,
-- which is a secret.
create function private.api_queue_settings(_org_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  if not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org reads this.';
  end if;
  return (
    select pg_catalog.to_jsonb(s) - 'slack_webhook' from public.soundcloud_settings s where s.org_id = _org_id
  );
end
$$;

-- The tracks of assignments: a supporter may read what is to be reposted, though the submission is somebody else's.
-- Gives the caller's own assignments of published queues, all of them to ops, and those of its org to an API key that
-- reads queues; for other ids there is no row.
create function private.assignment_tracks(_assignment_ids uuid[])
returns table (
  assignment_id uuid,
  submission_id uuid,
  track_url text,
  track_name text,
  artist_name text,
  family text
)
language sql stable security definer
set search_path = ''
as $$
  select a.id, s.id, s.track_url, s.track_name, s.artist_name, s.family
  from public.soundcloud_queue_assignments a
  join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id
  join public.soundcloud_submissions s on s.org_id = a.org_id and s.id = a.submission_id
  where a.id = any (_assignment_ids)
    and (
      a.org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
      or a.org_id = any (array(select private.integrator_org_ids('queues', 'read')))
      or a.org_id = any (array(select private.org_ids()))
         and a.supporter_id = any (array(select private.own_member_ids()))
         and q.status = 'published'
    )
$$;

revoke execute on function
  private.api_request_queue(uuid, date, timestamptz),
  private.api_queue_settings(uuid),
  private.assignment_tracks(uuid[])
from public;
grant execute on function
  private.api_request_queue(uuid, date, timestamptz),
  private.api_queue_settings(uuid),
  private.assignment_tracks(uuid[])
to spark_api;
