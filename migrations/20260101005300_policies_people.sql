-- Who reads and writes orgs, people, genres and settings. Every policy names its role and its command. Membership of
-- an org is tested as a set, which runs once per statement and uses the org index; where somebody sees only own rows
-- the org test stands in front, so that the index serves there too. Columns that only a workflow may change carry no
-- grant.

-- The owner makes orgs (`spark org create`); an admin may rename one.
alter table public.orgs enable row level security;
revoke truncate, references, trigger on public.orgs from public, anon, authenticated, service_role;
-- A Supabase project may have had orgs and memberships before us, with rights and policies of its own, which stay. Where
-- no policy is found they are ours, and default privileges may have handed them out.
do $$
declare
  _table text;
begin
  foreach _table in array array['orgs', 'memberships'] loop
    if not exists (
      select from pg_catalog.pg_policy where polrelid = ('public.' || _table)::pg_catalog.regclass
    ) then
      execute pg_catalog.format('revoke all on public.%I from public, anon, authenticated, service_role', _table);
    end if;
  end loop;
end
$$;
grant select on public.orgs to authenticated, service_role;
grant update (name) on public.orgs to authenticated, service_role;
grant select on public.orgs to spark_worker;
drop policy if exists spark_authenticated_select on public.orgs;
create policy spark_authenticated_select on public.orgs for select to authenticated
  using (id = any (array(select private.org_ids())));
drop policy if exists spark_authenticated_update on public.orgs;
create policy spark_authenticated_update on public.orgs for update to authenticated
  using (id = any (array(select private.org_ids_with_role('admin'))));
drop policy if exists spark_worker_all on public.orgs;
create policy spark_worker_all on public.orgs for all to spark_worker
  using (id = (select private.current_org()))
  with check (id = (select private.current_org()));

-- One's own, and all of an org one is ops of. Made by linking a login to a member, or by the owner; ended by an admin.
alter table public.memberships enable row level security;
revoke truncate, references, trigger on public.memberships from public, anon, authenticated, service_role;
grant select on public.memberships to authenticated, service_role;
grant delete on public.memberships to authenticated, service_role;
grant select on public.memberships to spark_worker;
drop policy if exists spark_authenticated_select on public.memberships;
create policy spark_authenticated_select on public.memberships for select to authenticated
  using (
    user_id = (select auth.uid())
    and org_id = any (array(select private.org_ids()))
    or org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
  );
drop policy if exists spark_authenticated_delete on public.memberships;
create policy spark_authenticated_delete on public.memberships for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
drop policy if exists spark_worker_all on public.memberships;
create policy spark_worker_all on public.memberships for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Members and moderators see their own roles. A role counts only beside a membership.
alter table public.soundcloud_user_roles enable row level security;
revoke all on public.soundcloud_user_roles
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_user_roles to authenticated, service_role;
grant insert (id, org_id, user_id, role) on public.soundcloud_user_roles to authenticated, service_role;
grant update (role) on public.soundcloud_user_roles to authenticated, service_role;
grant delete on public.soundcloud_user_roles to authenticated, service_role;
grant select on public.soundcloud_user_roles to spark_worker;
create policy authenticated_select on public.soundcloud_user_roles for select to authenticated
  using (
    user_id = (select auth.uid())
    and org_id = any (array(select private.org_ids()))
    or org_id = any (array(select private.org_ids_with_role('admin')))
  );
create policy authenticated_insert on public.soundcloud_user_roles for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_update on public.soundcloud_user_roles for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_delete on public.soundcloud_user_roles for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy worker_all on public.soundcloud_user_roles for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_genre_families enable row level security;
revoke all on public.soundcloud_genre_families
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_genre_families to authenticated, service_role, spark_integrator;
grant insert (id, org_id, name, active) on public.soundcloud_genre_families to authenticated, service_role;
grant update (name, active) on public.soundcloud_genre_families to authenticated, service_role;
grant delete on public.soundcloud_genre_families to authenticated, service_role;
grant select on public.soundcloud_genre_families to spark_worker;
create policy authenticated_select on public.soundcloud_genre_families for select to authenticated
  using (org_id = any (array(select private.org_ids())));
create policy authenticated_insert on public.soundcloud_genre_families for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_update on public.soundcloud_genre_families for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_delete on public.soundcloud_genre_families for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy integrator_select on public.soundcloud_genre_families for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('genres', 'read'))));
create policy worker_all on public.soundcloud_genre_families for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_subgenres enable row level security;
revoke all on public.soundcloud_subgenres
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_subgenres to authenticated, service_role, spark_integrator;
grant insert (id, org_id, family_id, name, patterns, active, order_index)
  on public.soundcloud_subgenres to authenticated, service_role;
grant update (family_id, name, patterns, active, order_index)
  on public.soundcloud_subgenres to authenticated, service_role;
grant delete on public.soundcloud_subgenres to authenticated, service_role;
grant select on public.soundcloud_subgenres to spark_worker;
create policy authenticated_select on public.soundcloud_subgenres for select to authenticated
  using (org_id = any (array(select private.org_ids())));
create policy authenticated_insert on public.soundcloud_subgenres for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_update on public.soundcloud_subgenres for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_delete on public.soundcloud_subgenres for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy integrator_select on public.soundcloud_subgenres for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('genres', 'read'))));
create policy worker_all on public.soundcloud_subgenres for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Status, tier, followers after admission, the mirrored credits and the activity times are written by workflows and
-- triggers only.
alter table public.soundcloud_members enable row level security;
revoke all on public.soundcloud_members
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_members to authenticated, service_role, spark_integrator;
grant insert (
  id, org_id, name, emails, primary_email, soundcloud_url, soundcloud_handle, spotify_handle,
  genre_family_id, manual_genres, genre_notes, monthly_submission_limit, reach_factor,
  soundcloud_followers
)
  on public.soundcloud_members to authenticated, service_role;
grant update (
  name, emails, primary_email, soundcloud_url, soundcloud_handle, spotify_handle, genre_family_id,
  manual_genres, genre_notes, monthly_submission_limit, reach_factor
)
  on public.soundcloud_members to authenticated, service_role;
grant delete on public.soundcloud_members to authenticated, service_role;
grant select, insert, update on public.soundcloud_members to spark_worker;
create policy authenticated_select on public.soundcloud_members for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or id = any (array(select private.own_member_ids())))
  );
create policy authenticated_insert on public.soundcloud_members for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_members for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_delete on public.soundcloud_members for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_members for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('members', 'read'))));
create policy worker_all on public.soundcloud_members for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- The connection's status and the time of its last sync belong to the account health sweep.
alter table public.soundcloud_member_accounts enable row level security;
revoke all on public.soundcloud_member_accounts
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_member_accounts to authenticated, service_role, spark_integrator;
grant insert (id, org_id, member_id, platform, handle, follower_count, connection_data)
  on public.soundcloud_member_accounts to authenticated, service_role;
grant update (handle, follower_count, connection_data)
  on public.soundcloud_member_accounts to authenticated, service_role;
grant delete on public.soundcloud_member_accounts to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_member_accounts to spark_worker;
create policy authenticated_select on public.soundcloud_member_accounts for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy authenticated_insert on public.soundcloud_member_accounts for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_member_accounts for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_delete on public.soundcloud_member_accounts for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_member_accounts for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('members', 'read'))));
create policy worker_all on public.soundcloud_member_accounts for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_member_genres enable row level security;
revoke all on public.soundcloud_member_genres
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_member_genres to authenticated, service_role, spark_integrator;
grant insert (id, org_id, member_id, genre_family_id, subgenre_id, assigned_by)
  on public.soundcloud_member_genres to authenticated, service_role;
grant delete on public.soundcloud_member_genres to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_member_genres to spark_worker;
create policy authenticated_select on public.soundcloud_member_genres for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy authenticated_insert on public.soundcloud_member_genres for insert to authenticated
  with check (
    org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
    and (assigned_by is null or assigned_by = (select auth.uid()))
  );
create policy authenticated_delete on public.soundcloud_member_genres for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_member_genres for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('members', 'read'))));
create policy worker_all on public.soundcloud_member_genres for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_avoid_list_items enable row level security;
revoke all on public.soundcloud_avoid_list_items
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_avoid_list_items to authenticated, service_role, spark_integrator;
grant insert (id, org_id, member_id, avoided_handle, platform, reason)
  on public.soundcloud_avoid_list_items to authenticated, service_role;
grant update (reason) on public.soundcloud_avoid_list_items to authenticated, service_role;
grant delete on public.soundcloud_avoid_list_items to authenticated, service_role;
grant select, insert, update, delete on public.soundcloud_avoid_list_items to spark_worker;
create policy authenticated_select on public.soundcloud_avoid_list_items for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or member_id = any (array(select private.own_member_ids())))
  );
create policy authenticated_insert on public.soundcloud_avoid_list_items for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_avoid_list_items for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_delete on public.soundcloud_avoid_list_items for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_avoid_list_items for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('members', 'read'))));
create policy worker_all on public.soundcloud_avoid_list_items for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- Written by the import.
alter table public.soundcloud_member_import_history enable row level security;
revoke all on public.soundcloud_member_import_history
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_member_import_history to authenticated, service_role;
grant select, insert, update on public.soundcloud_member_import_history to spark_worker;
create policy authenticated_select on public.soundcloud_member_import_history for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy worker_all on public.soundcloud_member_import_history for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_clients enable row level security;
revoke all on public.soundcloud_clients
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_clients to authenticated, service_role, spark_integrator;
grant insert (id, org_id, name, emails, notes, active) on public.soundcloud_clients to authenticated, service_role;
grant update (name, emails, notes, active) on public.soundcloud_clients to authenticated, service_role;
grant delete on public.soundcloud_clients to authenticated, service_role;
grant select, insert, update on public.soundcloud_clients to spark_worker;
create policy authenticated_select on public.soundcloud_clients for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_clients for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_clients for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_delete on public.soundcloud_clients for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_clients for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('clients', 'read'))));
create policy worker_all on public.soundcloud_clients for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

alter table public.soundcloud_salespersons enable row level security;
revoke all on public.soundcloud_salespersons
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_salespersons to authenticated, service_role, spark_integrator;
grant insert (id, org_id, name, emails, notes, active)
  on public.soundcloud_salespersons to authenticated, service_role;
grant update (name, emails, notes, active) on public.soundcloud_salespersons to authenticated, service_role;
grant delete on public.soundcloud_salespersons to authenticated, service_role;
grant select, insert, update on public.soundcloud_salespersons to spark_worker;
create policy authenticated_select on public.soundcloud_salespersons for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_insert on public.soundcloud_salespersons for insert to authenticated
  with check (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_update on public.soundcloud_salespersons for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy authenticated_delete on public.soundcloud_salespersons for delete to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin', 'moderator'))));
create policy integrator_select on public.soundcloud_salespersons for select to spark_integrator
  using (org_id = any (array(select private.integrator_org_ids('clients', 'read'))));
create policy worker_all on public.soundcloud_salespersons for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- One row per org, made with the org. Admins only: it holds the Slack address.
alter table public.soundcloud_settings enable row level security;
revoke all on public.soundcloud_settings
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;
grant select on public.soundcloud_settings to authenticated, service_role;
grant update (
  decision_sla_hours, proof_sla_hours, inactivity_days, preview_cache_days, default_reach_factor,
  target_band_mode, size_tier_thresholds, adjacency_matrix, slack_enabled, slack_webhook, slack_channel,
  timezone, tier_policy, reach_per_credit, fee_percent, four_eyes_threshold, watch_hours, on_breach,
  auto_schedule, unrepost_after_hours, intake_sla_hours, complaint_sla_hours, review, pacing,
  queue_hours, campaign_defaults, version
)
  on public.soundcloud_settings to authenticated, service_role;
grant select on public.soundcloud_settings to spark_worker;
create policy authenticated_select on public.soundcloud_settings for select to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy authenticated_update on public.soundcloud_settings for update to authenticated
  using (org_id = any (array(select private.org_ids_with_role('admin'))));
create policy worker_all on public.soundcloud_settings for all to spark_worker
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));
