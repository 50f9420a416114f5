-- Who reads and writes the outbox, commands, keys, webhooks and imports. Every policy names its role and its command.
-- Membership of an org is tested as a set, which runs once per statement and uses the org index; where somebody sees
-- only own rows the org test stands in front, so that the index serves there too. Columns that only a workflow may
-- change carry no grant.

-- The outbox. No rights for people: whoever may insert here can forge any change of state.
alter table public.soundcloud_events enable row level security;
revoke all on public.soundcloud_events
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_events to service_role;
grant select, insert, update on public.soundcloud_events to spark_worker;
create policy worker_all on public.soundcloud_events for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Requested and read through private.api_command_request and private.api_command_get.
alter table public.soundcloud_commands enable row level security;
revoke all on public.soundcloud_commands
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_commands to service_role;
grant select, insert, update on public.soundcloud_commands to spark_worker;
create policy worker_all on public.soundcloud_commands for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Written through private.api_audit, read by admins through private.api_audit_list; never changed.
alter table public.soundcloud_audit_log enable row level security;
revoke all on public.soundcloud_audit_log
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_audit_log to service_role;
grant select, insert on public.soundcloud_audit_log to spark_worker;
create policy worker_all on public.soundcloud_audit_log for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Only private.api_idempotency_* touch it.
alter table public.soundcloud_idempotency_keys enable row level security;
revoke all on public.soundcloud_idempotency_keys
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_idempotency_keys to service_role;
grant select on public.soundcloud_idempotency_keys to spark_worker;
create policy worker_all on public.soundcloud_idempotency_keys for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_waits enable row level security;
revoke all on public.soundcloud_waits
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_waits to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_waits to spark_worker;
create policy authenticated_select on public.soundcloud_waits for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_waits for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Resolved by commands to the workflow that waits.
alter table public.soundcloud_ops_tasks enable row level security;
revoke all on public.soundcloud_ops_tasks
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_ops_tasks to authenticated, service_role;
grant select, insert, update on public.soundcloud_ops_tasks to spark_worker;
create policy authenticated_select on public.soundcloud_ops_tasks for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_ops_tasks for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_queue_drafts enable row level security;
revoke all on public.soundcloud_queue_drafts
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_queue_drafts to authenticated, service_role;
grant select, insert on public.soundcloud_queue_drafts to spark_worker;
create policy authenticated_select on public.soundcloud_queue_drafts for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_queue_drafts for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_preview_cache enable row level security;
revoke all on public.soundcloud_preview_cache
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_preview_cache to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_preview_cache to spark_worker;
create policy authenticated_select on public.soundcloud_preview_cache for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_preview_cache for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_provider_intents enable row level security;
revoke all on public.soundcloud_provider_intents
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_provider_intents to authenticated, service_role;
grant select, insert, update on public.soundcloud_provider_intents to spark_worker;
create policy authenticated_select on public.soundcloud_provider_intents for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_provider_intents for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- The secret's hash is written once and read by private.api_key_verify only. Keys are revoked, never deleted.
alter table public.soundcloud_api_keys enable row level security;
revoke all on public.soundcloud_api_keys
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select (
  id, org_id, name, scopes, created_by, last_used_at, expires_at, revoked_at, revoked_by, created_at,
  updated_at
)
  on public.soundcloud_api_keys to authenticated, service_role;
grant insert (id, org_id, name, secret_hash, scopes, expires_at, created_by)
  on public.soundcloud_api_keys to authenticated, service_role;
grant update (name, revoked_at, revoked_by) on public.soundcloud_api_keys to authenticated, service_role;
grant select on public.soundcloud_api_keys to spark_worker;
create policy authenticated_select on public.soundcloud_api_keys for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_insert on public.soundcloud_api_keys for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and created_by = (select auth.uid())
  );
create policy authenticated_update on public.soundcloud_api_keys for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))))
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and (revoked_by is null or revoked_by = (select auth.uid()))
  );
create policy worker_all on public.soundcloud_api_keys for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- The secrets are ciphertext. Health columns belong to the deliveries.
alter table public.soundcloud_webhook_endpoints enable row level security;
revoke all on public.soundcloud_webhook_endpoints
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_webhook_endpoints to authenticated, service_role, spark_integrator;
grant insert (id, org_id, url, description, event_types, secret_ciphertext, rate_limit_per_second, active, created_by)
  on public.soundcloud_webhook_endpoints to authenticated, service_role;
grant update (
  url, description, event_types, secret_ciphertext, previous_secret_ciphertext,
  previous_secret_expires_at, rate_limit_per_second, active, disabled_at, disabled_reason, version
)
  on public.soundcloud_webhook_endpoints to authenticated, service_role;
grant delete on public.soundcloud_webhook_endpoints to authenticated, service_role;
grant insert (
  id, org_id, url, description, event_types, secret_ciphertext, rate_limit_per_second, active,
  created_by_key
)
  on public.soundcloud_webhook_endpoints to spark_integrator;
grant update (
  url, description, event_types, secret_ciphertext, previous_secret_ciphertext,
  previous_secret_expires_at, rate_limit_per_second, active, disabled_at, disabled_reason, version
)
  on public.soundcloud_webhook_endpoints to spark_integrator;
grant delete on public.soundcloud_webhook_endpoints to spark_integrator;
grant select, update on public.soundcloud_webhook_endpoints to spark_worker;
create policy authenticated_select on public.soundcloud_webhook_endpoints for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_insert on public.soundcloud_webhook_endpoints for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin')))
    and created_by = (select auth.uid())
  );
create policy authenticated_update on public.soundcloud_webhook_endpoints for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_delete on public.soundcloud_webhook_endpoints for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy integrator_select on public.soundcloud_webhook_endpoints for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('webhooks', 'read'))));
create policy integrator_insert on public.soundcloud_webhook_endpoints for insert to spark_integrator
  with check (org_id = any (array(select private.integrator_org_ids('webhooks', 'write'))));
create policy integrator_update on public.soundcloud_webhook_endpoints for update to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('webhooks', 'write'))));
create policy integrator_delete on public.soundcloud_webhook_endpoints for delete to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('webhooks', 'write'))));
create policy worker_all on public.soundcloud_webhook_endpoints for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_webhook_deliveries enable row level security;
revoke all on public.soundcloud_webhook_deliveries
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_webhook_deliveries to authenticated, service_role, spark_integrator;
grant select, insert, update on public.soundcloud_webhook_deliveries to spark_worker;
create policy authenticated_select on public.soundcloud_webhook_deliveries for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy integrator_select on public.soundcloud_webhook_deliveries for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('webhooks', 'read'))));
create policy worker_all on public.soundcloud_webhook_deliveries for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_webhook_attempts enable row level security;
revoke all on public.soundcloud_webhook_attempts
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_webhook_attempts to authenticated, service_role, spark_integrator;
grant select, insert on public.soundcloud_webhook_attempts to spark_worker;
create policy authenticated_select on public.soundcloud_webhook_attempts for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy integrator_select on public.soundcloud_webhook_attempts for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('webhooks', 'read'))));
create policy worker_all on public.soundcloud_webhook_attempts for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_webhook_receipts enable row level security;
revoke all on public.soundcloud_webhook_receipts
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_webhook_receipts to authenticated, service_role;
grant select, insert, update on public.soundcloud_webhook_receipts to spark_worker;
create policy authenticated_select on public.soundcloud_webhook_receipts for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy worker_all on public.soundcloud_webhook_receipts for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_import_runs enable row level security;
revoke all on public.soundcloud_import_runs
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_import_runs to authenticated, service_role;
grant select, insert, update on public.soundcloud_import_runs to spark_worker;
create policy authenticated_select on public.soundcloud_import_runs for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_import_runs for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_import_rows enable row level security;
revoke all on public.soundcloud_import_rows
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_import_rows to authenticated, service_role;
grant select, insert, update on public.soundcloud_import_rows to spark_worker;
create policy authenticated_select on public.soundcloud_import_rows for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_import_rows for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- The business clock is one row for everybody: read by all, changed by none.
alter table public.soundcloud_clock enable row level security;
revoke all on public.soundcloud_clock
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_clock to anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
create policy everybody_select on public.soundcloud_clock for select
  to anon, authenticated, spark_integrator, spark_api, spark_worker
  using (true);

-- Request limits span orgs: only private.take_request_leave touches them, so no role has a grant or a policy.
alter table public.soundcloud_rate_buckets enable row level security;
revoke all on public.soundcloud_rate_buckets
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;

-- Supabase's older default privileges hand out sequences and functions of public too.
revoke all on sequence public.soundcloud_events_seq_seq, public.soundcloud_audit_log_seq_seq
  from public, anon, authenticated, service_role;
revoke execute on function public.update_updated_at_column() from public, anon, authenticated, service_role;
