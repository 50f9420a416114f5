-- What a supporter is promised with an assignment is kept with it, as its price is: the fee the earning was worked out
-- with, and when the repost is taken down as planned. Null until the assignment is published.

alter table public.soundcloud_queue_assignments
  add column fee_percent numeric(5, 2),
  add column unrepost_after_hours integer,
  add constraint assignment_fee_percent check (fee_percent between 0 and 100) not valid,
  add constraint assignment_unrepost_after_hours check (unrepost_after_hours > 0) not valid;

-- What is published and open keeps what it began with: its workflow's state where there is one, else the settings of now.
update public.soundcloud_queue_assignments a
set fee_percent = settings.fee_percent,
    unrepost_after_hours = case
      when opened.policy is null then settings.unrepost_after_hours
      else (opened.policy ->> 'unrepostAfterHours')::integer
    end
from public.soundcloud_queue_assignments open_one
join public.soundcloud_queues queue
  on queue.org_id = open_one.org_id and queue.id = open_one.queue_id and queue.status = 'published'
join public.soundcloud_settings settings on settings.org_id = open_one.org_id
left join lateral (
  select c.result #> '{value,state,policy}' as policy
  from public.soundcloud_commands c
  where c.org_id = open_one.org_id
    and c.workflow_id = pg_catalog.format('assignment:%s:%s', open_one.org_id, open_one.id)
    and c.name = 'open' and c.status = 'applied'
  order by c.created_at
  limit 1
) opened on true
where a.org_id = open_one.org_id and a.id = open_one.id and open_one.settled_at is null;
