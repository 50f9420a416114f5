-- The logins of a member, for in-app notifications: those of the org whose verified e-mail the member lists. The
-- worker may not read auth.users, so this one question has a definer function.
create function private.users_of_member(_org_id uuid, _member_id uuid) returns setof uuid
language plpgsql stable security definer
set search_path = ''
as $$
begin
  if _org_id is distinct from private.current_org() then
    raise exception using errcode = 'SPK01', message = 'wrong_org',
      detail = 'Logins can be asked for only within the current org.';
  end if;
  return query
    select distinct login.id
    from public.soundcloud_members member
    join public.memberships m on m.org_id = member.org_id
    join auth.users login on login.id = m.user_id
    where member.org_id = _org_id
      and member.id = _member_id
      and login.email_confirmed_at is not null
      and member.emails @> array[pg_catalog.lower(login.email)];
end;
$$;

revoke execute on function private.users_of_member(uuid, uuid) from public;
grant execute on function private.users_of_member(uuid, uuid) to spark_worker;
