-- Supporters were told the address the member submitted, with the secret token of a private link, although the member
-- had handed in the public one since. The public link goes to everybody; a token goes to those who may read the
-- submission itself: ops, and API keys that read queues.

create or replace function private.assignment_tracks(_assignment_ids uuid[])
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
  select seen.assignment_id, s.id,
    case when seen.in_charge then coalesce(s.live_link_url, s.track_url)
      else pg_catalog.regexp_replace(coalesce(s.live_link_url, s.track_url),
        '^([a-z]+://[^/]+/[^/]+/(?:sets/[^/]+|(?!sets/)[^/]+))/s-[^/]+$', '\1')
    end,
    s.track_name, s.artist_name, s.family
  from (
    select a.id as assignment_id, a.org_id, a.submission_id,
      a.org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
        or a.org_id = any (array(select private.integrator_org_ids('queues', 'read'))) as in_charge,
      a.org_id = any (array(select private.org_ids()))
        and a.supporter_id = any (array(select private.own_member_ids()))
        and q.status = 'published' as own
    from public.soundcloud_queue_assignments a
    join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id
    where a.id = any (_assignment_ids)
  ) seen
  join public.soundcloud_submissions s on s.org_id = seen.org_id and s.id = seen.submission_id
  where seen.in_charge or seen.own
$$;
