-- What the API may know and do about assignments beyond the policies: what one's own assignment waits for, how reliable
-- one is, and closing the tasks that no workflow waits for.

-- What assignments wait for, and whether anything can be verified: the caller's own assignments of published queues, all
-- of them to ops, and those of its org to an API key that reads queues; for other ids there is no row.
create function private.assignment_waits(_assignment_ids uuid[])
returns table (
  assignment_id uuid,
  stage text,
  waiting_on text,
  who_can_act text,
  how_to_act text,
  since timestamptz,
  due_at timestamptz,
  paused boolean,
  remaining_ms bigint,
  breached boolean,
  degraded boolean
)
language sql stable security definer
set search_path = ''
as $$
  select a.id, w.stage, w.waiting_on, w.who_can_act, w.how_to_act, w.since, w.due_at, w.paused, w.remaining_ms,
         w.breached, coalesce(newest.degraded, false)
  from public.soundcloud_queue_assignments a
  join public.soundcloud_queues q on q.org_id = a.org_id and q.id = a.queue_id
  left join public.soundcloud_waits w
    on w.org_id = a.org_id and w.workflow_id = 'assignment:' || a.org_id || ':' || a.id
  left join lateral (
    select (c.result -> 'value' -> 'state' ->> 'degraded')::boolean as degraded
    from public.soundcloud_commands c
    where c.org_id = a.org_id and c.workflow_id = 'assignment:' || a.org_id || ':' || a.id and c.status = 'applied'
      and c.result -> 'value' -> 'state' is not null
    order by (c.result -> 'value' -> 'state' ->> 'revision')::integer desc
    limit 1
  ) newest on true
  where a.id = any (_assignment_ids)
    and (
      a.org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
      or a.org_id = any (array(select private.integrator_org_ids('queues', 'read')))
      or a.org_id = any (array(select private.org_ids()))
         and a.supporter_id = any (array(select private.own_member_ids()))
         and q.status = 'published'
    )
$$;

-- What a member's reliability is made of: reposts completed, failed and skipped since the org's reliability_days,
-- assignments and campaign schedules alike, as the target builder counts them. One's own, or any to ops; else no row.
create function private.member_record(_org_id uuid, _member_id uuid, _at timestamptz)
returns table (
  completed integer,
  failed integer,
  skipped integer,
  days integer,
  prior_completed numeric,
  prior_total numeric
)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  return query
    select count(*) filter (where duty.status = 'completed')::integer,
           count(*) filter (where duty.status = 'failed')::integer,
           count(*) filter (where duty.status = 'skipped')::integer,
           policy.days, policy.prior_completed, policy.prior_total
    from public.soundcloud_members m
    cross join lateral (
      select coalesce((s.pacing ->> 'reliability_days')::integer, 90) as days,
             coalesce((s.pacing ->> 'reliability_prior_completed')::numeric, 4) as prior_completed,
             coalesce((s.pacing ->> 'reliability_prior_total')::numeric, 5) as prior_total
      from public.soundcloud_settings s where s.org_id = _org_id
    ) policy
    left join lateral (
      select a.status
      from public.soundcloud_queue_assignments a
      where a.org_id = m.org_id and a.supporter_id = m.id
        and a.slot_at >= _at - pg_catalog.make_interval(days => policy.days)
      union all
      select case item.status when 'completed' then 'completed' when 'failed' then 'failed'
               when 'cancelled' then 'skipped' else 'assigned' end
      from public.soundcloud_schedules item
      join public.soundcloud_member_accounts account
        on account.org_id = item.org_id and account.id = item.member_account_id
      where item.org_id = m.org_id and account.member_id = m.id and item.parent_type = 'campaign'
        and coalesce(item.completed_at, item.scheduled_at) >= _at - pg_catalog.make_interval(days => policy.days)
    ) duty on true
    where m.org_id = _org_id and m.id = _member_id
      and (private.is_ops(_org_id) or m.id in (select private.own_member_ids()))
    group by policy.days, policy.prior_completed, policy.prior_total;
end
$$;

-- Closes a task that no workflow waits for. One that is waited for is answered by one of its actions: the lifecycle that
-- asked closes it.
create function private.api_close_ops_task(_org_id uuid, _id uuid, _status text, _note text, _at timestamptz)
returns boolean
language plpgsql security definer
set search_path = ''
as $$
declare
  _task public.soundcloud_ops_tasks;
begin
  perform private.require_own_org(_org_id);
  if not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org closes a task.';
  end if;
  select * into _task from public.soundcloud_ops_tasks t where t.org_id = _org_id and t.id = _id for update;
  if not found then
    perform private.refuse('not_found', 'This org has no such task.');
  end if;
  if _task.status <> 'open' then
    return false;
  end if;
  if _task.workflow_id is not null then
    perform private.refuse('ops_task_waited_for',
      'A workflow waits for the answer. Send one of the requests under `actions`; it closes the task.');
  end if;
  update public.soundcloud_ops_tasks t
  set status = _status, resolved_at = _at,
      resolved_by = pg_catalog.split_part(private.api_caller(), ':', 2)::uuid,
      resolution = pg_catalog.jsonb_build_object('note', _note)
  where t.org_id = _org_id and t.id = _id;
  return true;
end
$$;

revoke execute on function
  private.assignment_waits(uuid[]),
  private.member_record(uuid, uuid, timestamptz),
  private.api_close_ops_task(uuid, uuid, text, text, timestamptz)
from public;
grant execute on function
  private.assignment_waits(uuid[]),
  private.member_record(uuid, uuid, timestamptz),
  private.api_close_ops_task(uuid, uuid, text, text, timestamptz)
to spark_api;
