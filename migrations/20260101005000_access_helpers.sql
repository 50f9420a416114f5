-- Who the caller is and which orgs the caller may act in. Policies use these functions as sets,
-- `org_id = any(array(select private.org_ids()))`: the subquery runs once per statement and the org index is used.
-- All are definer functions, because they read memberships and roles that the caller may not see as a whole, and all
-- intersect with app.org_id when it is set: a person who is a member here and an admin there must not meet the rows
-- of the other org while working in this one.

-- The orgs the signed-in person belongs to.
create function private.org_ids() returns setof uuid
language sql stable parallel safe security definer
set search_path = ''
rows 3
as $$
  select m.org_id
  from public.memberships m
  where m.user_id = auth.uid()
    and m.org_id = coalesce(private.current_org(), m.org_id)
$$;

-- The orgs in which the signed-in person has one of the roles. A role without membership counts for nothing, so
-- that ending a membership ends everything.
create function private.org_ids_with_role(variadic _roles public.soundcloud_app_role[]) returns setof uuid
language sql stable parallel safe security definer
set search_path = ''
rows 3
as $$
  select distinct r.org_id
  from public.soundcloud_user_roles r
  join public.memberships m on m.org_id = r.org_id and m.user_id = r.user_id
  where r.user_id = auth.uid()
    and r.role = any (_roles)
    and r.org_id = coalesce(private.current_org(), r.org_id)
$$;

-- The members the signed-in person is: those of the person's orgs that list the login's verified e-mail. An
-- unverified e-mail proves nothing and matches nobody.
create function private.own_member_ids() returns setof uuid
language sql stable parallel safe security definer
set search_path = ''
rows 3
as $$
  select member.id
  from auth.users login
  join public.memberships m on m.user_id = login.id
  join public.soundcloud_members member
    on member.org_id = m.org_id and member.emails @> array[pg_catalog.lower(login.email)]
  where login.id = auth.uid()
    and login.email_confirmed_at is not null
    and m.org_id = coalesce(private.current_org(), m.org_id)
$$;

-- Whether the signed-in person is ops (admin or moderator) of the org.
create function private.is_ops(_org_id uuid) returns boolean
language sql stable parallel safe security definer
set search_path = ''
as $$
  select exists (
    select from private.org_ids_with_role('admin', 'moderator') as held (org_id) where held.org_id = _org_id
  )
$$;

-- The org of the API key in use, when the key holds a scope for the resource: `<resource>:read` to read,
-- `<resource>:write` for both, because whoever writes a row is answered with it. The API has verified the key and put
-- role, org and scopes into the claims; without them no row.
create function private.integrator_org_ids(_resource text, _access text) returns setof uuid
language sql stable parallel safe security definer
set search_path = ''
rows 1
as $$
  select (claims ->> 'org_id')::uuid
  from (select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb) as token (claims)
  where claims ->> 'role' = 'spark_integrator'
    and pg_catalog.jsonb_typeof(claims -> 'scopes') = 'array'
    and (
      pg_catalog.jsonb_exists(claims -> 'scopes', _resource || ':write')
      or _access = 'read' and pg_catalog.jsonb_exists(claims -> 'scopes', _resource || ':read')
    )
    and (claims ->> 'org_id')::uuid = coalesce(private.current_org(), (claims ->> 'org_id')::uuid)
$$;

revoke execute on function
  private.org_ids(),
  private.org_ids_with_role(public.soundcloud_app_role[]),
  private.own_member_ids(),
  private.is_ops(uuid),
  private.integrator_org_ids(text, text)
from public;
grant execute on function
  private.org_ids(),
  private.org_ids_with_role(public.soundcloud_app_role[]),
  private.own_member_ids(),
  private.is_ops(uuid)
to authenticated;
grant execute on function private.integrator_org_ids(text, text) to spark_integrator;
