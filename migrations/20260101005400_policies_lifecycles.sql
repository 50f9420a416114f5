-- Who reads and writes what goes through a lifecycle. Every policy names its role and its command. Membership of an
-- org is tested as a set, which runs once per statement and uses the org index; where somebody sees only own rows the
-- org test stands in front, so that the index serves there too. Columns that only a workflow may change carry no
-- grant.

-- A member submits for itself; ops submit for anybody and keep the descriptive columns. Everything else changes by
-- commands to the review. Nobody deletes: a review may be running.
alter table public.soundcloud_submissions enable row level security;
revoke all on public.soundcloud_submissions
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_submissions to authenticated, service_role, spark_integrator;
grant insert (id, org_id, member_id, client_id, service_type, track_url, track_name, artist_name)
  on public.soundcloud_submissions to authenticated, service_role;
grant update (client_id, service_type, track_name, artist_name, notes)
  on public.soundcloud_submissions to authenticated, service_role;
grant insert (id, org_id, member_id, client_id, service_type, track_url, track_name, artist_name)
  on public.soundcloud_submissions to spark_integrator;
grant update (client_id, service_type, track_name, artist_name, notes)
  on public.soundcloud_submissions to spark_integrator;
grant select, insert, update on public.soundcloud_submissions to spark_worker;
create policy authenticated_select on public.soundcloud_submissions for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy authenticated_insert on public.soundcloud_submissions for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids()))
            and client_id is null and service_type is null)
  );
create policy authenticated_update on public.soundcloud_submissions for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_submissions for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('submissions', 'read'))));
create policy integrator_insert on public.soundcloud_submissions for insert to spark_integrator
  with check (org_id = any (array(select private.integrator_org_ids('submissions', 'write'))));
create policy integrator_update on public.soundcloud_submissions for update to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('submissions', 'write'))));
create policy worker_all on public.soundcloud_submissions for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Goal, price, dates and state change by commands to the campaign.
alter table public.soundcloud_campaigns enable row level security;
revoke all on public.soundcloud_campaigns
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_campaigns to authenticated, service_role, spark_integrator;
grant insert (id, org_id, client_id, salesperson_id, artist_name, track_name, track_url, notes, metadata, created_by)
  on public.soundcloud_campaigns to authenticated, service_role;
grant update (client_id, salesperson_id, artist_name, track_name, notes, metadata)
  on public.soundcloud_campaigns to authenticated, service_role;
grant select, insert, update on public.soundcloud_campaigns to spark_worker;
create policy authenticated_select on public.soundcloud_campaigns for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_campaigns for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
    and (created_by is null or created_by = (select auth.uid()))
  );
create policy authenticated_update on public.soundcloud_campaigns for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_campaigns for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('campaigns', 'read'))));
create policy worker_all on public.soundcloud_campaigns for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Members see a queue once it is published. The daily workflow makes and moves it.
alter table public.soundcloud_queues enable row level security;
revoke all on public.soundcloud_queues
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_queues to authenticated, service_role, spark_integrator;
grant update (notes) on public.soundcloud_queues to authenticated, service_role;
grant select, insert, update on public.soundcloud_queues to spark_worker;
create policy authenticated_select on public.soundcloud_queues for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or status = 'published')
  );
create policy authenticated_update on public.soundcloud_queues for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_queues for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('queues', 'read'))));
create policy worker_all on public.soundcloud_queues for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Supporters see their own once the queue is published, and hand in the proof's address until it is settled; the
-- trigger makes that a submitProof for the workflow, which alone decides the outcome.
alter table public.soundcloud_queue_assignments enable row level security;
revoke all on public.soundcloud_queue_assignments
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_queue_assignments to authenticated, service_role, spark_integrator;
grant update (proof_url) on public.soundcloud_queue_assignments to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_queue_assignments to spark_worker;
create policy authenticated_select on public.soundcloud_queue_assignments for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or supporter_id = any (array(select private.own_member_ids()))
            and exists (
                  select from public.soundcloud_queues queue
                  where queue.org_id = soundcloud_queue_assignments.org_id
                    and queue.id = soundcloud_queue_assignments.queue_id
                    and queue.status = 'published'
                ))
  );
create policy authenticated_update on public.soundcloud_queue_assignments for update to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and settled_at is null
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or supporter_id = any (array(select private.own_member_ids())))
    and exists (
      select from public.soundcloud_queues queue
      where queue.org_id = soundcloud_queue_assignments.org_id
        and queue.id = soundcloud_queue_assignments.queue_id
        and queue.status = 'published'
    )
  )
  with check (
    org_id = any (array(select private.org_ids()))
    and proof_url is not null
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or supporter_id = any (array(select private.own_member_ids())))
  );
create policy integrator_select on public.soundcloud_queue_assignments for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('queues', 'read'))));
create policy worker_all on public.soundcloud_queue_assignments for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_target_proposals enable row level security;
revoke all on public.soundcloud_target_proposals
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_target_proposals to authenticated, service_role, spark_integrator;
grant select, insert, update, delete on public.soundcloud_target_proposals to spark_worker;
create policy authenticated_select on public.soundcloud_target_proposals for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_target_proposals for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('proposals', 'read'))));
create policy worker_all on public.soundcloud_target_proposals for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_schedules enable row level security;
revoke all on public.soundcloud_schedules
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_schedules to authenticated, service_role, spark_integrator;
grant select, insert, update on public.soundcloud_schedules to spark_worker;
create policy authenticated_select on public.soundcloud_schedules for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_schedules for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('schedules', 'read'))));
create policy worker_all on public.soundcloud_schedules for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Evidence is added, never changed.
alter table public.soundcloud_proof_checks enable row level security;
revoke all on public.soundcloud_proof_checks
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_proof_checks to authenticated, service_role, spark_integrator;
grant select, insert on public.soundcloud_proof_checks to spark_worker;
create policy authenticated_select on public.soundcloud_proof_checks for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or exists (
           select from public.soundcloud_queue_assignments assignment
           where assignment.org_id = soundcloud_proof_checks.org_id
             and assignment.id = soundcloud_proof_checks.assignment_id
             and assignment.supporter_id = any (array(select private.own_member_ids()))
         ))
  );
create policy integrator_select on public.soundcloud_proof_checks for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('queues', 'read'))));
create policy worker_all on public.soundcloud_proof_checks for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Admission and rejection are commands to the review.
alter table public.soundcloud_inquiries enable row level security;
revoke all on public.soundcloud_inquiries
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_inquiries to authenticated, service_role, spark_integrator;
grant insert (id, org_id, name, email, soundcloud_url, notes)
  on public.soundcloud_inquiries to authenticated, service_role;
grant update (name, email, soundcloud_url, notes) on public.soundcloud_inquiries to authenticated, service_role;
grant select, insert, update on public.soundcloud_inquiries to spark_worker;
create policy authenticated_select on public.soundcloud_inquiries for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_inquiries for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_inquiries for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_inquiries for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('inquiries', 'read'))));
create policy worker_all on public.soundcloud_inquiries for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Taking and resolving are commands.
alter table public.soundcloud_complaints enable row level security;
revoke all on public.soundcloud_complaints
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_complaints to authenticated, service_role, spark_integrator;
grant insert (id, org_id, email, song_url, notes) on public.soundcloud_complaints to authenticated, service_role;
grant update (email, song_url, notes) on public.soundcloud_complaints to authenticated, service_role;
grant select, insert, update on public.soundcloud_complaints to spark_worker;
create policy authenticated_select on public.soundcloud_complaints for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_complaints for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_complaints for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_complaints for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('complaints', 'read'))));
create policy worker_all on public.soundcloud_complaints for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Days may be renumbered when a start moves, so the worker may change and replace snapshots.
alter table public.soundcloud_attribution_snapshots enable row level security;
revoke all on public.soundcloud_attribution_snapshots
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_attribution_snapshots to authenticated, service_role, spark_integrator;
grant select, insert, update, delete on public.soundcloud_attribution_snapshots to spark_worker;
create policy authenticated_select on public.soundcloud_attribution_snapshots for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_attribution_snapshots for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('snapshots', 'read'))));
create policy worker_all on public.soundcloud_attribution_snapshots for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_integration_status enable row level security;
revoke all on public.soundcloud_integration_status
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_integration_status to authenticated, service_role, spark_integrator;
grant select, insert, update, delete on public.soundcloud_integration_status to spark_worker;
create policy authenticated_select on public.soundcloud_integration_status for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_integration_status for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('members', 'read'))));
create policy worker_all on public.soundcloud_integration_status for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));
