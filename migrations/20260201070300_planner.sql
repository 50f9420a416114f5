-- What a plan for a track is made of concerns the whole network, of which a member sees only the own part. The API takes
-- this role for the one question "what would happen to this track": it reads the facts the target builder reads, of the
-- org in app.org_id, and answers with sums. It writes nothing but the cache of resolved addresses.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'spark_planner') then
    create role spark_planner nologin noinherit nobypassrls;
  end if;
exception when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if exists (
    select from pg_catalog.pg_roles
    where rolname = 'spark_planner' and (rolsuper or rolbypassrls or rolcreaterole or rolreplication or rolcanlogin)
  ) then
    raise exception 'The role spark_planner has attributes that pass by row-level security.'
      using hint = 'alter role spark_planner nologin nosuperuser nobypassrls nocreaterole noreplication. Then migrate again.';
  end if;
  if not exists (
    select from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles granted on granted.oid = m.roleid
    join pg_catalog.pg_roles login on login.oid = m.member
    where granted.rolname = 'spark_planner' and login.rolname = 'spark_api'
  ) then
    begin
      grant spark_planner to spark_api;
    exception
      when unique_violation then null;
      -- "tuple concurrently updated": another database of this server was given the same membership just now.
      when internal_error then null;
    end;
  end if;
end
$$;

grant usage on schema public to spark_planner;
-- For the policies; without USAGE on the schema it cannot be called.
grant execute on function private.current_org() to spark_planner;

do $$
declare
  _table text;
begin
  foreach _table in array array[
    'soundcloud_settings', 'soundcloud_genre_families', 'soundcloud_subgenres', 'soundcloud_members',
    'soundcloud_member_accounts', 'soundcloud_member_genres', 'soundcloud_avoid_list_items',
    'soundcloud_repost_credit_wallet', 'soundcloud_submissions', 'soundcloud_campaigns', 'soundcloud_queues',
    'soundcloud_queue_assignments', 'soundcloud_schedules', 'soundcloud_preview_cache'
  ] loop
    execute format('grant select on public.%I to spark_planner', _table);
    execute format('create policy planner_select on public.%I for select to spark_planner
      using (org_id = (select private.current_org()))', _table);
  end loop;
end
$$;

grant insert, update on public.soundcloud_preview_cache to spark_planner;
create policy planner_insert on public.soundcloud_preview_cache for insert to spark_planner
  with check (org_id = (select private.current_org()));
create policy planner_update on public.soundcloud_preview_cache for update to spark_planner
  using (org_id = (select private.current_org()))
  with check (org_id = (select private.current_org()));

-- The API asks SoundCloud under the same limits as the worker.
grant execute on function
  private.take_request_leave(text, double precision, double precision, double precision) to spark_api;
