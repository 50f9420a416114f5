-- A page of the monthly grant in one statement (docs/decisions/0012, "What the monthly grant costs"), and wallets whose
-- grant of the month was there already move on with it.

-- As before (20260201010100): the next _limit members in the order of their ids, who were granted nothing for _month or
-- a later one, get its grant. Nearly always nobody is in the way, and one statement does it: the wallets are locked in
-- the order of their ids and written where they lie. It leaves out a wallet that somebody else wrote meanwhile, and
-- fails where a grant of the month is there already (the org moved to another timezone, or another run was first); then
-- private.post_grants grants who is left, and who had been granted is marked as such.
create or replace function private.grant_month_page(
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
-- A page is small, whatever the planner takes a limit it does not know for: every way goes by index or place.
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = 'off'
set enable_hashjoin = 'off'
set enable_mergejoin = 'off'
set jit = 'off'
as $$
#variable_conflict use_column
declare
  _month_start timestamptz;
  _hex text := pg_catalog.lpad(pg_catalog.to_hex(
    (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 12, '0');
  -- Ids in the order of time (version 7), and within a page one after the other: each is written behind the last.
  _id_start text := _hex || '7'
    || pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 14, 11);
  _found integer;
  _last uuid;
  _left uuid[];
  _late record;
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

  begin
    with page as materialized (
      select w.ctid as place, w.member_id
      from public.soundcloud_repost_credit_wallet w
      where w.org_id = _org_id
        and w.member_id > coalesce(_after, '00000000-0000-0000-0000-000000000000')
        and w.last_granted_at < _month_start
      order by w.member_id
      limit _limit
    ),
    -- As they are under the lock, not as they were when the page was read.
    locked as materialized (
      select w.ctid as place, w.balance, w.version,
             least(w.monthly_grant, greatest(w.cap - w.balance - w.held, 0)) as credited
      from public.soundcloud_repost_credit_wallet w
      where w.ctid = any (array(select p.place from page p)) and w.last_granted_at < _month_start
      order by w.id
      for update
    ),
    wallet as (
      -- A wallet that was written between reading and locking is not at a place this statement sees.
      update public.soundcloud_repost_credit_wallet w
      set balance = l.balance + l.credited,
          version = l.version + 1,
          last_granted_at = _month_start,
          updated_at = pg_catalog.now()
      from locked l
      where w.ctid = l.place
      returning w.member_id, w.version, w.balance, w.cap, w.monthly_grant, l.credited
    ),
    entry as (
      insert into public.soundcloud_repost_credit_ledger (
        id, org_id, member_id, version, change_amount, balance_after, forfeited, reason, reference_type,
        idempotency_key, request_hash, occurred_at
      )
      select (_id_start || pg_catalog.lpad(
               pg_catalog.to_hex(pg_catalog.row_number() over (order by w.member_id)), 8, '0'))::uuid,
             _org_id, w.member_id, w.version, w.credited, w.balance, w.monthly_grant - w.credited,
             'monthly_grant', 'monthly_grant', 'grant:' || w.member_id || ':' || _month,
             private.grant_hash(w.member_id, _month),
             _at
      from wallet w
    ),
    member as (
      update public.soundcloud_members m
      set credits_balance = w.balance,
          net_credits = w.balance,
          credits_monthly_grant = w.monthly_grant,
          credits_cap = w.cap,
          credits_given = m.credits_given + w.credited,
          last_grant_at = _month_start,
          updated_at = pg_catalog.now()
      from wallet w
      where m.org_id = _org_id and m.id = w.member_id
    )
    select count(*), coalesce(sum(w.credited), 0), coalesce(sum(w.monthly_grant - w.credited), 0),
           (select count(*) from page), (select p.member_id from page p order by p.member_id desc limit 1)
    into granted, credited, forfeited, _found, _last
    from wallet w;
  exception when unique_violation then
    -- Nothing of the statement is left, neither rows nor locks.
    granted := 0;
    credited := 0;
    forfeited := 0;
  end;

  if granted is distinct from _found then
    select array_agg(p.member_id order by p.member_id) into _left
    from (
      select w.member_id
      from public.soundcloud_repost_credit_wallet w
      where w.org_id = _org_id
        and w.member_id > coalesce(_after, '00000000-0000-0000-0000-000000000000')
        and (_last is null or w.member_id <= _last)
        and w.last_granted_at < _month_start
      order by w.member_id
      limit _limit
    ) p;
    if _found is null then
      _found := coalesce(pg_catalog.cardinality(_left), 0);
      _last := _left[_found];
    end if;
    select count(*) as granted, coalesce(sum(g.change_amount), 0) as credited, coalesce(sum(g.forfeited), 0) as forfeited
    into _late
    from private.post_grants(_org_id, _left, _month, _at) g;
    granted := granted + _late.granted;
    credited := credited + _late.credited;
    forfeited := forfeited + _late.forfeited;
    -- Who had this month's grant already: the next month is due next. The mirror follows by its trigger.
    update public.soundcloud_repost_credit_wallet w
    set last_granted_at = _month_start
    where w.org_id = _org_id and w.member_id = any (_left) and w.last_granted_at < _month_start;
  end if;
  if _found = _limit then
    next := _last;
  end if;
  return next;
end;
$$;
