-- An assignment that takes the place of a skipped or failed one names it: what a submission is still owed follows from
-- the rows. And the reconciler learns what a workflow id is built from where it is not the row's id: a queue's date.

alter table public.soundcloud_queue_assignments
  add column replacement_for uuid;
alter table public.soundcloud_queue_assignments
  add constraint soundcloud_queue_assignments_replacement_for_fkey
  foreign key (org_id, replacement_for) references public.soundcloud_queue_assignments (org_id, id)
  on delete set null (replacement_for)
  not valid;

-- Called by the worker alone, which comes with this file.
-- squawk-ignore ban-drop-function
drop function private.reconcile_candidates();
-- Rows whose workflow should be open: neither closed nor imported history. Assignments have one from publication on,
-- schedules from the moment they are sent.
create function private.reconcile_candidates()
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
  where s.closed_at is null and s.status <> 'pending'
  union all
  select i.org_id, 'inquiry', i.id, null from public.soundcloud_inquiries i where i.closed_at is null
  union all
  select c.org_id, 'complaint', c.id, null from public.soundcloud_complaints c where c.closed_at is null
  union all
  select d.org_id, 'delivery', d.id, null from public.soundcloud_webhook_deliveries d where d.closed_at is null
  union all
  select r.org_id, 'import', r.id, null from public.soundcloud_import_runs r where r.closed_at is null
$$;
revoke execute on function private.reconcile_candidates() from public;
grant execute on function private.reconcile_candidates() to spark_worker;
