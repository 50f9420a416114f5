-- A page of the monthly run: the next _limit members, in the order of their ids, who joined in or before the month and
-- were granted nothing for it or a later one, get the grant of _month. Repeating a page changes nothing: members with
-- a grant are passed over, and the grant's key stops a second one.
-- `next` is where the next page begins, null after the last one; `granted` counts members, the others are credits.
create function private.grant_month_page(
  _org_id uuid,
  _month text,
  _after uuid,
  _limit integer,
  _at timestamptz
) returns table (
  granted integer,
  credited integer,
  forfeited integer,
  next uuid
)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  _month_start timestamptz;
  _page uuid[];
begin
  perform private.require_own_org(_org_id);
  if _month is null or _month !~ '^\d{4}-(0[1-9]|1[0-2])$' or _limit is null or _limit < 1 or _at is null then
    raise exception using errcode = '22023',
      message = pg_catalog.format('Grants of month %s, %s members a page: not readable.', _month, _limit),
      hint = 'Give a month as YYYY-MM, at least one member a page, and the business time.';
  end if;
  select (_month || '-01')::timestamp at time zone s.timezone into _month_start
  from public.soundcloud_settings s
  where s.org_id = _org_id;

  select array_agg(p.member_id order by p.member_id) into _page
  from (
    select w.member_id
    from public.soundcloud_repost_credit_wallet w
    where w.org_id = _org_id
      and w.member_id > coalesce(_after, '00000000-0000-0000-0000-000000000000')
      and w.last_granted_at < _month_start
    order by w.member_id
    limit _limit
  ) p;
  select count(*)::integer, coalesce(sum(g.change_amount), 0)::integer, coalesce(sum(g.forfeited), 0)::integer,
         case when pg_catalog.cardinality(_page) = _limit then _page[_limit] end
  into granted, credited, forfeited, next
  from private.post_grants(_org_id, _page, _month, _at) g;
  return next;
end;
$$;

revoke execute on function private.grant_month_page(uuid, text, uuid, integer, timestamptz) from public;
grant execute on function private.grant_month_page(uuid, text, uuid, integer, timestamptz) to spark_worker;
