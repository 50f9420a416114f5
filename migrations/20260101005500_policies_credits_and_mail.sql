-- Who reads and writes credits, mail, notifications and automations. Every policy names its role and its command.
-- Membership of an org is tested as a set, which runs once per statement and uses the org index; where somebody sees
-- only own rows the org test stands in front, so that the index serves there too. Columns that only a workflow may
-- change carry no grant.

-- Written by private.post_credits only: no role of the API or the worker has a write grant.
alter table public.soundcloud_repost_credit_wallet enable row level security;
revoke all on public.soundcloud_repost_credit_wallet
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_repost_credit_wallet to authenticated, service_role;
grant select on public.soundcloud_repost_credit_wallet to spark_worker;
create policy authenticated_select on public.soundcloud_repost_credit_wallet for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy worker_all on public.soundcloud_repost_credit_wallet for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- As the wallet, and append-only even for the owner.
alter table public.soundcloud_repost_credit_ledger enable row level security;
revoke all on public.soundcloud_repost_credit_ledger
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_repost_credit_ledger to authenticated, service_role;
grant select on public.soundcloud_repost_credit_ledger to spark_worker;
create policy authenticated_select on public.soundcloud_repost_credit_ledger for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy worker_all on public.soundcloud_repost_credit_ledger for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_credit_holds enable row level security;
revoke all on public.soundcloud_credit_holds
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_credit_holds to authenticated, service_role;
grant select on public.soundcloud_credit_holds to spark_worker;
create policy authenticated_select on public.soundcloud_credit_holds for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy worker_all on public.soundcloud_credit_holds for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_credit_change_requests enable row level security;
revoke all on public.soundcloud_credit_change_requests
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_credit_change_requests to authenticated, service_role;
grant select on public.soundcloud_credit_change_requests to spark_worker;
create policy authenticated_select on public.soundcloud_credit_change_requests for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_credit_change_requests for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Read-only also for ops; written from the provider's webhooks.
alter table public.soundcloud_mail_events enable row level security;
revoke all on public.soundcloud_mail_events
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_mail_events to authenticated, service_role;
grant select, insert on public.soundcloud_mail_events to spark_worker;
create policy authenticated_select on public.soundcloud_mail_events for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_mail_events for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_email_templates enable row level security;
revoke all on public.soundcloud_email_templates
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_email_templates to authenticated, service_role;
grant insert (id, org_id, name, subject, body_html, body_text, variables, active)
  on public.soundcloud_email_templates to authenticated, service_role;
grant update (name, subject, body_html, body_text, variables, active)
  on public.soundcloud_email_templates to authenticated, service_role;
grant delete on public.soundcloud_email_templates to authenticated, service_role;
grant select on public.soundcloud_email_templates to spark_worker;
create policy authenticated_select on public.soundcloud_email_templates for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_email_templates for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_update on public.soundcloud_email_templates for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_delete on public.soundcloud_email_templates for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy worker_all on public.soundcloud_email_templates for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_email_logs enable row level security;
revoke all on public.soundcloud_email_logs
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_email_logs to authenticated, service_role;
grant select, insert, update on public.soundcloud_email_logs to spark_worker;
create policy authenticated_select on public.soundcloud_email_logs for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_email_logs for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Ops add by hand and lift; bounces and complaints come from the provider.
alter table public.soundcloud_email_suppressions enable row level security;
revoke all on public.soundcloud_email_suppressions
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_email_suppressions to authenticated, service_role;
grant insert (id, org_id, email, reason, scope, details, created_by)
  on public.soundcloud_email_suppressions to authenticated, service_role;
grant update (lifted_at, lifted_by) on public.soundcloud_email_suppressions to authenticated, service_role;
grant select, insert, update on public.soundcloud_email_suppressions to spark_worker;
create policy authenticated_select on public.soundcloud_email_suppressions for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_email_suppressions for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
    and reason = 'manual'
    and created_by = (select auth.uid())
  );
create policy authenticated_update on public.soundcloud_email_suppressions for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))))
  with check (
    org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
    and lifted_by = (select auth.uid())
  );
create policy worker_all on public.soundcloud_email_suppressions for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Everybody marks one's own as read; ops manage all of their org, and notify people of the org only.
alter table public.soundcloud_notifications enable row level security;
revoke all on public.soundcloud_notifications
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_notifications to authenticated, service_role;
grant insert (id, org_id, user_id, title, message, type, action_url, metadata)
  on public.soundcloud_notifications to authenticated, service_role;
grant update (read) on public.soundcloud_notifications to authenticated, service_role;
grant delete on public.soundcloud_notifications to authenticated, service_role;
grant select, insert on public.soundcloud_notifications to spark_worker;
create policy authenticated_select on public.soundcloud_notifications for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (user_id = (select auth.uid())
         or org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))))
  );
create policy authenticated_insert on public.soundcloud_notifications for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
    and exists (
      select from public.memberships recipient
      where recipient.org_id = soundcloud_notifications.org_id and recipient.user_id = soundcloud_notifications.user_id
    )
  );
create policy authenticated_update on public.soundcloud_notifications for update to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (user_id = (select auth.uid())
         or org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))))
  );
create policy authenticated_delete on public.soundcloud_notifications for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_notifications for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_automation_templates enable row level security;
revoke all on public.soundcloud_automation_templates
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_automation_templates to authenticated, service_role;
grant insert (
  id, org_id, template_key, name, subject, body_html, body_text, variables, enabled, trigger_events,
  created_by, updated_by
)
  on public.soundcloud_automation_templates to authenticated, service_role;
grant update (name, subject, body_html, body_text, variables, enabled, trigger_events, updated_by)
  on public.soundcloud_automation_templates to authenticated, service_role;
grant delete on public.soundcloud_automation_templates to authenticated, service_role;
grant select on public.soundcloud_automation_templates to spark_worker;
create policy authenticated_select on public.soundcloud_automation_templates for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_automation_templates for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and (created_by is null or created_by = (select auth.uid()))
    and (updated_by is null or updated_by = (select auth.uid()))
  );
create policy authenticated_update on public.soundcloud_automation_templates for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))))
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and (updated_by is null or updated_by = (select auth.uid()))
  );
create policy authenticated_delete on public.soundcloud_automation_templates for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy worker_all on public.soundcloud_automation_templates for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_automation_logs enable row level security;
revoke all on public.soundcloud_automation_logs
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_automation_logs to authenticated, service_role;
grant select, insert, update on public.soundcloud_automation_logs to spark_worker;
create policy authenticated_select on public.soundcloud_automation_logs for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_automation_logs for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- An admin switches an automation off and on; its health comes from its runs.
alter table public.soundcloud_automation_health enable row level security;
revoke all on public.soundcloud_automation_health
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_automation_health to authenticated, service_role;
grant update (status) on public.soundcloud_automation_health to authenticated, service_role;
grant select, insert, update on public.soundcloud_automation_health to spark_worker;
create policy authenticated_select on public.soundcloud_automation_health for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_automation_health for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))))
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and status in ('healthy', 'disabled')
  );
create policy worker_all on public.soundcloud_automation_health for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Supabase Realtime pushes notifications to their readers; plain PostgreSQL has no such publication.
do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime' and not puballtables)
     and not exists (
       select from pg_catalog.pg_publication_tables
       where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'soundcloud_notifications'
     ) then
    alter publication supabase_realtime add table public.soundcloud_notifications;
  end if;
end
$$;
