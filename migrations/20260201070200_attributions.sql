-- Attribution as a row: since when a track's numbers are tracked, until when, and on which days there were none.

create table public.soundcloud_attributions (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  parent_type text not null check (parent_type in ('campaign', 'submission')),
  parent_id uuid not null,
  -- day 0
  start_date date not null,
  -- the first day tracked: the start, or an earlier one for the trend
  first_date date not null,
  -- the last day tracked; null while assignments are open
  last_date date,
  -- a baseline taken later than this is no clean one: the first slot of the first queue
  baseline_by timestamptz,
  track_urn text,
  -- days given up: [{date, reason}]
  gaps jsonb not null default '[]',
  -- one activity asks for the numbers of all that are due; until when these are its own
  claimed_until timestamptz,
  claimed_by text,
  last_error text,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  unique (org_id, parent_type, parent_id),
  constraint days_in_order check (first_date <= start_date)
);
create index idx_soundcloud_attributions_open on public.soundcloud_attributions (org_id, first_date)
  where closed_at is null;
create trigger update_soundcloud_attributions_updated_at before update on public.soundcloud_attributions
  for each row execute function public.update_updated_at_column();
create trigger check_parent before insert or update of org_id, parent_type, parent_id
  on public.soundcloud_attributions for each row execute function private.check_parent();

alter table public.soundcloud_attributions enable row level security;
revoke all on public.soundcloud_attributions
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_attributions to authenticated, service_role, spark_integrator;
grant select, insert, update on public.soundcloud_attributions to spark_worker;
create policy authenticated_select on public.soundcloud_attributions for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or parent_type = 'submission' and exists (
           select from public.soundcloud_submissions submission
           where submission.org_id = soundcloud_attributions.org_id
             and submission.id = soundcloud_attributions.parent_id
             and submission.member_id = any (array(select private.own_member_ids()))
         ))
  );
create policy integrator_select on public.soundcloud_attributions for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('snapshots', 'read'))));
create policy worker_all on public.soundcloud_attributions for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Members read the numbers of their own submissions.
drop policy authenticated_select on public.soundcloud_attribution_snapshots;
create policy authenticated_select on public.soundcloud_attribution_snapshots for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or parent_type = 'submission' and exists (
           select from public.soundcloud_submissions submission
           where submission.org_id = soundcloud_attribution_snapshots.org_id
             and submission.id = soundcloud_attribution_snapshots.parent_id
             and submission.member_id = any (array(select private.own_member_ids()))
         ))
  );

-- Members read what their own submission waits for while it waits for them.
drop policy authenticated_select on public.soundcloud_waits;
create policy authenticated_select on public.soundcloud_waits for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or entity_type = 'submission' and waiting_on = 'member' and exists (
           select from public.soundcloud_submissions submission
           where submission.org_id = soundcloud_waits.org_id
             and submission.id = soundcloud_waits.entity_id
             and submission.member_id = any (array(select private.own_member_ids()))
         ))
  );

-- Numbers that ops enter by hand where SoundCloud gave none. They never replace numbers that were measured; entered
-- again they correct what was entered. The API has checked who asks and writes the audit row in the same transaction.
create function private.api_enter_snapshot(
  _org_id uuid,
  _parent_type text,
  _parent_id uuid,
  _day_index integer,
  _snapshot_date date,
  _counts jsonb,
  _metadata jsonb,
  _at timestamptz
) returns table (id uuid, created boolean, before jsonb)
language plpgsql security definer
set search_path = ''
as $$
declare
  _old public.soundcloud_attribution_snapshots;
  _id uuid;
  _new public.soundcloud_attribution_snapshots;
begin
  perform private.require_own_org(_org_id);
  if not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only ops of the org enter snapshots.';
  end if;
  select * into _old from public.soundcloud_attribution_snapshots s
  where s.org_id = _org_id and s.parent_type = _parent_type and s.parent_id = _parent_id
    and s.day_index = _day_index
  for update;
  if _old.id is not null and _old.collection_source <> 'manual' then
    return query select _old.id, false, null::jsonb;
    return;
  end if;
  insert into public.soundcloud_attribution_snapshots as s (
    org_id, parent_type, parent_id, day_index, snapshot_date, plays, likes, reposts, comments, followers,
    collected_at, collection_source, metadata)
  values (
    _org_id, _parent_type, _parent_id, _day_index, _snapshot_date, (_counts ->> 'plays')::integer,
    (_counts ->> 'likes')::integer, (_counts ->> 'reposts')::integer, (_counts ->> 'comments')::integer,
    (_counts ->> 'followers')::integer, _at, 'manual', _metadata)
  on conflict (org_id, parent_type, parent_id, day_index) do update
  set plays = excluded.plays, likes = excluded.likes, reposts = excluded.reposts, comments = excluded.comments,
      followers = excluded.followers, collected_at = excluded.collected_at, metadata = excluded.metadata
  where s.collection_source = 'manual'
  returning s.id into _id;
  if _id is null then
    -- Measured in the same moment.
    return query
      select s.id, false, null::jsonb from public.soundcloud_attribution_snapshots s
      where s.org_id = _org_id and s.parent_type = _parent_type and s.parent_id = _parent_id
        and s.day_index = _day_index;
    return;
  end if;
  insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
  values (_org_id, 'snapshot.captured', 'snapshot', _id,
    _counts || pg_catalog.jsonb_build_object('parent_type', _parent_type, 'parent_id', _parent_id,
      'day_index', _day_index, 'snapshot_date', _snapshot_date, 'source', 'manual'),
    _at, 'snapshot.captured:' || _id || ':' || pg_catalog.md5(_counts::text || _at::text))
  on conflict (org_id, dedupe_key) do nothing;
  return query select _id, true,
    case when _old.id is null then null else pg_catalog.to_jsonb(_old) end;
end;
$$;
revoke execute on function
  private.api_enter_snapshot(uuid, text, uuid, integer, date, jsonb, jsonb, timestamptz) from public;
grant execute on function
  private.api_enter_snapshot(uuid, text, uuid, integer, date, jsonb, jsonb, timestamptz) to spark_api;

-- Attribution runs from its row on until its last day.
create function private.open_attributions()
returns table (org_id uuid, entity_type text, entity_id uuid, entity_key text)
language sql stable security definer
set search_path = ''
as $$
  select a.org_id, 'attribution', a.parent_id, a.parent_type
  from public.soundcloud_attributions a where a.closed_at is null
$$;
revoke execute on function private.open_attributions() from public;
grant execute on function private.open_attributions() to spark_worker;
