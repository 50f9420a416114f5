-- The functions of the existing database, under their names. They answer within the caller's reach only: policies use
-- the org-scoped helpers of schema private, since a role or a member of one org says nothing about another. A role
-- counts only beside a membership.

-- Whether the caller may be told about people of an org: its ops, the worker and API scoped to it, service_role, owner.
-- app.org_id, where set, narrows everybody to that org.
create function private.may_ask_about(_org_id uuid) returns boolean
language plpgsql stable security definer
set search_path = ''
as $$
begin
  if private.current_org() is not null and private.current_org() <> _org_id then
    return false;
  end if;
  return case private.acting_role()
    when 'authenticated' then private.is_ops(_org_id)
    when 'spark_worker' then private.current_org() = _org_id
    when 'spark_api' then private.current_org() = _org_id
    when 'service_role' then true
    else private.is_owner()
  end;
end;
$$;

-- Whether an e-mail is the caller's own, verified one.
create function private.is_own_email(_email text) returns boolean
language sql stable security definer
set search_path = ''
as $$
  select exists (
    select from auth.users u
    where u.id = auth.uid()
      and u.email_confirmed_at is not null
      and pg_catalog.lower(u.email) = pg_catalog.lower(_email)
  )
$$;

create function public.has_role(_user_id uuid, _role public.soundcloud_app_role) returns boolean
language sql stable security definer
set search_path = ''
as $$
  select exists (
    select from public.soundcloud_user_roles r
    join public.memberships m on m.org_id = r.org_id and m.user_id = r.user_id
    where r.user_id = _user_id
      and r.role = _role
      and (_user_id = auth.uid() or private.may_ask_about(r.org_id))
      and r.org_id = coalesce(private.current_org(), r.org_id)
  )
$$;

create function public.get_user_roles(_user_id uuid) returns table (role public.soundcloud_app_role)
language sql stable security definer
set search_path = ''
as $$
  select distinct r.role
  from public.soundcloud_user_roles r
  join public.memberships m on m.org_id = r.org_id and m.user_id = r.user_id
  where r.user_id = _user_id
    and (_user_id = auth.uid() or private.may_ask_about(r.org_id))
    and r.org_id = coalesce(private.current_org(), r.org_id)
$$;

create function public.get_member_id_for_user(_user_id uuid) returns uuid
language sql stable security definer
set search_path = ''
as $$
  select m.id
  from auth.users u
  join public.memberships s on s.user_id = u.id
  join public.soundcloud_members m
    on m.org_id = s.org_id and m.emails @> array[pg_catalog.lower(u.email)]
  where u.id = _user_id
    and u.email_confirmed_at is not null
    and (_user_id = auth.uid() or private.may_ask_about(m.org_id))
    and m.org_id = coalesce(private.current_org(), m.org_id)
  order by m.created_at, m.id
  limit 1
$$;

create function public.check_user_is_member(_user_email text) returns boolean
language sql stable security definer
set search_path = ''
as $$
  select exists (
    select from public.soundcloud_members m
    where m.emails @> array[pg_catalog.lower(_user_email)]
      and m.org_id = coalesce(private.current_org(), m.org_id)
      and (private.is_own_email(_user_email) or private.may_ask_about(m.org_id))
  )
$$;

create function public.get_member_for_user(_user_email text) returns setof public.soundcloud_members
language sql stable security definer
set search_path = ''
as $$
  select m.*
  from public.soundcloud_members m
  where m.emails @> array[pg_catalog.lower(_user_email)]
    and m.org_id = coalesce(private.current_org(), m.org_id)
    and (private.is_own_email(_user_email) or private.may_ask_about(m.org_id))
  order by m.created_at, m.id
$$;

-- Notes one run of an automation. Warning after one error in a row, error after three, healthy after a success;
-- `disabled` is an admin's and stays. Works for app.org_id, else for the one org in which the caller is ops.
create function public.update_automation_health(
  _automation_name text,
  _success boolean,
  _error_message text default null
) returns void
language plpgsql security definer
set search_path = ''
as $$
declare
  _org_id uuid := private.current_org();
  _now timestamptz := private.business_now();
begin
  if _org_id is null and auth.uid() is not null then
    select held.org_id into _org_id
    from (select private.org_ids_with_role('admin', 'moderator') as org_id limit 2) held
    group by held.org_id
    having (select count(*) from private.org_ids_with_role('admin', 'moderator')) = 1;
  end if;
  if _org_id is null or not private.may_ask_about(_org_id) then
    perform private.refuse('wrong_org',
      'Automation health belongs to one org, whose ops or worker report it. Set app.org_id to that org.');
  end if;
  insert into public.soundcloud_automation_health as h (
    org_id, automation_name, status, last_run_at, last_success_at, last_error_at, last_error_message,
    success_count, error_count, consecutive_errors, total_runs
  ) values (
    _org_id, _automation_name, case when _success then 'healthy' else 'warning' end, _now,
    case when _success then _now end, case when not _success then _now end,
    case when not _success then _error_message end,
    _success::integer, (not _success)::integer, (not _success)::integer, 1
  )
  on conflict (org_id, automation_name) do update
    set status = case
          when h.status = 'disabled' then 'disabled'
          when _success then 'healthy'
          when h.consecutive_errors + 1 >= 3 then 'error'
          else 'warning'
        end,
        last_run_at = excluded.last_run_at,
        last_success_at = coalesce(excluded.last_success_at, h.last_success_at),
        last_error_at = coalesce(excluded.last_error_at, h.last_error_at),
        last_error_message = coalesce(excluded.last_error_message, h.last_error_message),
        success_count = h.success_count + excluded.success_count,
        error_count = h.error_count + excluded.error_count,
        consecutive_errors = case when _success then 0 else h.consecutive_errors + 1 end,
        total_runs = h.total_runs + 1;
end;
$$;

revoke execute on function
  private.may_ask_about(uuid),
  private.is_own_email(text),
  public.has_role(uuid, public.soundcloud_app_role),
  public.get_user_roles(uuid),
  public.get_member_id_for_user(uuid),
  public.check_user_is_member(text),
  public.get_member_for_user(text),
  public.update_automation_health(text, boolean, text),
  public.update_updated_at_column()
from public, anon;
grant execute on function
  public.has_role(uuid, public.soundcloud_app_role),
  public.get_user_roles(uuid),
  public.get_member_id_for_user(uuid),
  public.check_user_is_member(text),
  public.get_member_for_user(text),
  public.update_automation_health(text, boolean, text)
to authenticated, service_role, spark_api, spark_worker;
