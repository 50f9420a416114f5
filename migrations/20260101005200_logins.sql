-- Links a person's login to the members it is. A member knows only e-mails; a login proves one by verifying it. Where
-- both meet, the login gets a membership of the member's org and the role `member`, never more. Linking again changes
-- nothing; to lock somebody out for good, take the e-mail off the member.

-- For the API, at sign-in: links the login wherever a member lists its e-mail. Before any org is chosen it looks into
-- every org; while app.org_id is set, into that one only. The e-mail counts only when it is the login's own and
-- verified. Returns the orgs that were new.
create function private.link_login(_user_id uuid, _email text) returns setof uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  _org_id uuid;
begin
  for _org_id in
    select distinct member.org_id
    from auth.users login
    join public.soundcloud_members member on member.emails @> array[pg_catalog.lower(login.email)]
    where login.id = _user_id
      and login.email = pg_catalog.lower(_email)
      and login.email_confirmed_at is not null
      and member.org_id = coalesce(private.current_org(), member.org_id)
    order by member.org_id
  loop
    if private.make_member_login(_org_id, _user_id) then
      return next _org_id;
    end if;
  end loop;
end
$$;

-- Membership and role `member`; true when either was missing.
create function private.make_member_login(_org_id uuid, _user_id uuid) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  _joined boolean;
begin
  insert into public.memberships (org_id, user_id) values (_org_id, _user_id) on conflict do nothing;
  _joined := found;
  insert into public.soundcloud_user_roles (org_id, user_id, role) values (_org_id, _user_id, 'member')
  on conflict do nothing;
  return _joined or found;
end
$$;

-- The other direction: a member gets an e-mail that a login has verified already.
create function private.link_logins_of_member() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _user_id uuid;
begin
  for _user_id in
    select login.id
    from auth.users login
    where login.email = any (new.emails)
      and login.email_confirmed_at is not null
  loop
    perform private.make_member_login(new.org_id, _user_id);
  end loop;
  return null;
end
$$;

create trigger link_logins_on_insert after insert on public.soundcloud_members
  for each row when (new.emails <> '{}') execute function private.link_logins_of_member();
create trigger link_logins_on_emails after update of emails on public.soundcloud_members
  for each row when (new.emails <> '{}' and new.emails is distinct from old.emails)
  execute function private.link_logins_of_member();

-- For the API: an admin takes a person into the org by e-mail, with a role. Logins are visible to nobody, so that this
-- is the only way; it tells no more than whether a verified login has the e-mail.
create function private.api_add_person(_org_id uuid, _email text, _role public.soundcloud_app_role) returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  _user_id uuid;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin')) then
    raise exception using errcode = '42501', message = 'Only an admin takes people into the org.';
  end if;
  select login.id into _user_id
  from auth.users login
  where login.email = pg_catalog.lower(pg_catalog.btrim(_email)) and login.email_confirmed_at is not null
  order by login.created_at, login.id
  limit 1;
  if _user_id is null then
    raise exception using
      errcode = 'SPK01',
      message = 'not_found',
      detail = 'No verified login has this e-mail. Ask the person to sign in once, then try again.';
  end if;
  insert into public.memberships (org_id, user_id) values (_org_id, _user_id) on conflict do nothing;
  insert into public.soundcloud_user_roles (org_id, user_id, role) values (_org_id, _user_id, _role)
  on conflict do nothing;
  return _user_id;
end
$$;

revoke execute on function
  private.link_login(uuid, text),
  private.api_add_person(uuid, text, public.soundcloud_app_role),
  private.make_member_login(uuid, uuid),
  private.link_logins_of_member()
from public;
grant execute on function
  private.link_login(uuid, text),
  private.api_add_person(uuid, text, public.soundcloud_app_role)
to spark_api;
