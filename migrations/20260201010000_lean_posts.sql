-- What a post of credits costs. The rules of private.post_credits are those of before (20260101002200). New are a short
-- way for one request that goes through and one for a month's grants of any number of members; and a post writes the
-- member's mirror itself, because it knows what moved. The trigger of wallets is left for other writers (tiers,
-- repairs), who leave the version alone.

-- Room on the page for the next version of a row: neither table's hot columns are indexed, so an update then touches no
-- index. Rows that are there already move as they are updated.
alter table public.soundcloud_repost_credit_wallet set (fillfactor = 70);
alter table public.soundcloud_members set (fillfactor = 70);

-- Refusals said in more than one place.
create function private.refuse_other_request(_key text) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.refuse('idempotency_mismatch', pg_catalog.format(
    'The key %s belongs to another credit change. Read the ledger entry of that key before trying again.', _key));
end;
$$;

create function private.refuse_without_wallet(_member_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.refuse('not_found', pg_catalog.format('Member %s of this org has no wallet.', _member_id));
end;
$$;

-- The hash of a plain grant request: of its text as jsonb writes it. Kept free of settings, so that it is inlined.
create function private.grant_hash(_member_id uuid, _month text) returns text
language sql stable
as $$
  select pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    '{"kind": "grant", "month": "' || _month || '", "member_id": "' || _member_id || '"}', 'UTF8')), 'hex')
$$;

-- One month's grant of each of these members: min(monthly_grant, headroom), the rest forfeited. A member whose grant of
-- that month is there already, or who has no wallet, is left out; the entries written are returned.
create function private.post_grants(_org_id uuid, _member_ids uuid[], _month text, _at timestamptz)
returns table (
  member_id uuid,
  entry_id uuid,
  version bigint,
  change_amount integer,
  balance_after integer,
  forfeited integer
)
language plpgsql
set search_path = ''
-- Planning for a long array each time costs more than it could save: every way goes by index.
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
declare
  _month_start timestamptz;
  _hex text := pg_catalog.lpad(pg_catalog.to_hex(
    (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 12, '0');
  -- Ids in the order of time (version 7): those of a hundred thousand entries then fill the same few pages of their
  -- indexes, which random ones would read and write all over.
  _id_start text := pg_catalog.left(_hex, 8) || '-' || pg_catalog.right(_hex, 4) || '-7';
begin
  -- Lock first, read afterwards: what is read below cannot change any more.
  perform private.lock_wallets(_org_id, _member_ids);
  select (_month || '-01')::timestamp at time zone s.timezone into _month_start
  from public.soundcloud_settings s
  where s.org_id = _org_id;

  return query
    with entry as (
      insert into public.soundcloud_repost_credit_ledger (
        id, org_id, member_id, version, change_amount, balance_after, forfeited, reason, reference_type,
        idempotency_key, request_hash, occurred_at
      )
      select overlay(pg_catalog.gen_random_uuid()::text placing _id_start from 1 for 15)::uuid,
             _org_id, w.member_id, w.version + 1, g.credited, w.balance + g.credited, w.monthly_grant - g.credited,
             'monthly_grant', 'monthly_grant', 'grant:' || w.member_id || ':' || _month,
             private.grant_hash(w.member_id, _month),
             _at
      from public.soundcloud_repost_credit_wallet w
      cross join lateral (
        select least(w.monthly_grant, greatest(w.cap - w.balance - w.held, 0)) as credited
      ) g
      where w.org_id = _org_id and w.member_id = any (_member_ids)
        -- Nobody posts under these keys while the wallets are ours.
        and not exists (
          select from public.soundcloud_repost_credit_ledger l
          where l.org_id = _org_id and l.idempotency_key = 'grant:' || w.member_id || ':' || _month
        )
      returning id, member_id, version, change_amount, balance_after, forfeited
    ),
    wallet as (
      update public.soundcloud_repost_credit_wallet w
      set balance = e.balance_after,
          version = e.version,
          last_granted_at = greatest(w.last_granted_at, _month_start)
      from entry e
      where w.org_id = _org_id and w.member_id = e.member_id
      returning w.member_id, w.monthly_grant, w.cap, w.last_granted_at, e.change_amount, e.balance_after
    ),
    member as (
      update public.soundcloud_members m
      set credits_balance = w.balance_after,
          net_credits = w.balance_after,
          credits_monthly_grant = w.monthly_grant,
          credits_cap = w.cap,
          credits_given = m.credits_given + w.change_amount,
          last_grant_at = w.last_granted_at
      from wallet w
      where m.org_id = _org_id and m.id = w.member_id
    )
    select e.member_id, e.id, e.version, e.change_amount, e.balance_after, e.forfeited from entry e;
end;
$$;

-- The members of requests that are all grants of one month, of a different member each, and say nothing else; null
-- for any other requests.
create function private.members_granted_by(_requests jsonb) returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  _month text := _requests -> 0 ->> 'month';
  _member_ids uuid[];
  _plain boolean;
  _different bigint;
begin
  if _requests -> 0 ->> 'kind' is distinct from 'grant'
     or coalesce(_month !~ '^\d{4}-(0[1-9]|1[0-2])$', true) then
    return null;
  end if;
  select array_agg(r.member_id::uuid order by r.i), count(distinct r.member_id),
         -- As the hash of a grant is made: nothing added, ids as PostgreSQL writes them.
         bool_and(r.member_id = (r.member_id::uuid)::text
           and r.req = pg_catalog.jsonb_build_object('kind', 'grant', 'member_id', r.member_id, 'month', _month))
  into _member_ids, _different, _plain
  from (
    select e.req, e.req ->> 'member_id' as member_id, e.i
    from pg_catalog.jsonb_array_elements(_requests) with ordinality as e (req, i)
  ) r;
  if _plain and _different = pg_catalog.cardinality(_member_ids) then
    return _member_ids;
  end if;
  return null;
end;
$$;

-- private.post_grants with the answers of private.post_credits: in the order of the members, those granted before
-- replayed.
create function private.post_grants_of(_org_id uuid, _member_ids uuid[], _month text, _at timestamptz)
returns table (
  ordinal integer,
  key text,
  entry_id uuid,
  member_id uuid,
  version bigint,
  change_amount integer,
  balance_after integer,
  forfeited integer,
  replayed boolean,
  refused text
)
language plpgsql
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
declare
  _new_ids uuid[];
  _wrong record;
begin
  select array_agg(g.entry_id) into _new_ids
  from private.post_grants(_org_id, _member_ids, _month, _at) g;

  if coalesce(pg_catalog.cardinality(_new_ids), 0) < pg_catalog.cardinality(_member_ids) then
    select r.member_id, l.idempotency_key into _wrong
    from unnest(_member_ids) with ordinality as r (member_id, i)
    left join public.soundcloud_repost_credit_ledger l
      on l.org_id = _org_id and l.idempotency_key = 'grant:' || r.member_id || ':' || _month
    where l.id is null or l.request_hash <> private.grant_hash(r.member_id, _month)
    order by r.i
    limit 1;
    if _wrong.idempotency_key is not null then
      perform private.refuse_other_request(_wrong.idempotency_key);
    elsif _wrong.member_id is not null then
      perform private.refuse_without_wallet(_wrong.member_id);
    end if;
  end if;

  return query
    select r.i::integer, l.idempotency_key, l.id, l.member_id, l.version, l.change_amount, l.balance_after,
           l.forfeited, n.id is null, null::text
    from unnest(_member_ids) with ordinality as r (member_id, i)
    join public.soundcloud_repost_credit_ledger l
      on l.org_id = _org_id and l.idempotency_key = 'grant:' || r.member_id || ':' || _month
    left join unnest(_new_ids) as n (id) on n.id = l.id
    order by r.i;
end;
$$;

-- As before (20260101002200), but the set-based grants, wallets found by position and the mirror at the end.
create or replace function private.post_credits_unchecked(
  _org_id uuid,
  _requests jsonb,
  _at timestamptz,
  _partial boolean
) returns table (
  ordinal integer,
  key text,
  entry_id uuid,
  member_id uuid,
  version bigint,
  change_amount integer,
  balance_after integer,
  forfeited integer,
  replayed boolean,
  refused text
)
language plpgsql security definer
set search_path = ''
-- A dozen short statements on indexes: planning each anew for its arrays costs more than running it.
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
declare
  -- the requests, by position
  _n integer := coalesce(pg_catalog.jsonb_array_length(_requests), 0);
  _kinds text[];
  _keys text[];
  _hashes text[];
  _members uuid[];
  _assignments uuid[];
  _amounts integer[];
  _months text[];
  _found_ids uuid[];
  _found_hashes text[];
  _hold_ids uuid[];
  _hold_amounts integer[];
  _hold_states text[];
  _captured uuid[] := '{}';
  -- the wallets, by position in id order
  _w_members uuid[];
  _w_balances integer[];
  _w_helds integer[];
  _w_caps integer[];
  _w_grants integer[];
  _w_versions bigint[];
  _w_granted timestamptz[];
  _w_touched boolean[];
  _w_given integer[];
  _w_used integer[];
  -- position of each request's wallet
  _w_of integer[];
  _granted uuid[];
  _timezone text;
  _spent boolean := false;
  -- the entries to write, by position of their request
  _ids uuid[] := pg_catalog.array_fill(null::uuid, array[_n]);
  _versions bigint[] := pg_catalog.array_fill(null::bigint, array[_n]);
  _changes integer[] := pg_catalog.array_fill(null::integer, array[_n]);
  _balances integer[] := pg_catalog.array_fill(null::integer, array[_n]);
  _forfeits integer[] := pg_catalog.array_fill(null::integer, array[_n]);
  _refusals text[] := pg_catalog.array_fill(null::text, array[_n]);
  _w integer;
  _change integer;
  _held integer;
  _headroom integer;
  _written bigint;
begin
  if _n = 0 then
    return;
  end if;

  -- One month's grants of different members, as the monthly run and new members ask for them.
  _granted := private.members_granted_by(_requests);
  if _granted is not null then
    return query
      select * from private.post_grants_of(_org_id, _granted, _requests -> 0 ->> 'month', _at);
    return;
  end if;

  select array_agg(r.kind order by r.i), array_agg(r.key order by r.i), array_agg(r.hash order by r.i),
         array_agg(coalesce(h.member_id, r.member_id) order by r.i), array_agg(r.assignment_id order by r.i),
         array_agg(r.amount order by r.i), array_agg(r.month order by r.i)
  into _kinds, _keys, _hashes, _members, _assignments, _amounts, _months
  from (
    select e.i::integer as i,
           e.req ->> 'kind' as kind,
           (e.req ->> 'member_id')::uuid as member_id,
           (e.req ->> 'assignment_id')::uuid as assignment_id,
           (e.req ->> 'amount')::integer as amount,
           e.req ->> 'month' as month,
           case e.req ->> 'kind'
             when 'hold' then 'hold:' || ((e.req ->> 'assignment_id')::uuid)::text
             when 'capture' then 'resolve:' || ((e.req ->> 'assignment_id')::uuid)::text
             when 'release' then 'resolve:' || ((e.req ->> 'assignment_id')::uuid)::text
             when 'earn' then 'earn:' || ((e.req ->> 'assignment_id')::uuid)::text
             when 'campaign_earn' then 'campaign_earn:' || ((e.req ->> 'reference_id')::uuid)::text
             when 'grant' then 'grant:' || ((e.req ->> 'member_id')::uuid)::text || ':' || (e.req ->> 'month')
             when 'manual' then 'manual:' || (e.req ->> 'key')
           end as key,
           pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to((e.req - 'created_by')::text, 'UTF8')), 'hex')
             as hash
    from pg_catalog.jsonb_array_elements(_requests) with ordinality as e (req, i)
  ) r
  left join public.soundcloud_credit_holds h
    on r.kind in ('capture', 'release') and h.org_id = _org_id and h.assignment_id = r.assignment_id;

  for _i in 1 .. _n loop
    if _keys[_i] is null
       or (_kinds[_i] in ('hold', 'earn', 'campaign_earn') and coalesce(_amounts[_i], 0) < 1)
       or (_kinds[_i] = 'manual'
           and (coalesce(_amounts[_i], 0) = 0 or coalesce(_requests -> (_i - 1) ->> 'reason', '') = ''))
       or (_kinds[_i] = 'grant' and _months[_i] !~ '^\d{4}-(0[1-9]|1[0-2])$') then
      raise exception using errcode = '22023',
        message = pg_catalog.format('Credit request %s cannot be read: %s', _i, _requests -> (_i - 1)),
        hint = 'See the list of kinds and fields at private.post_credits.';
    end if;
    if _members[_i] is null then
      perform private.refuse('not_found', pg_catalog.format(
        'Credit request %s names no wallet: there is no hold for assignment %s. Hold before resolving.',
        _i, _assignments[_i]));
    end if;
  end loop;
  if (select count(distinct k) from unnest(_keys) as k) < _n then
    raise exception using errcode = '22023', message = 'Two credit requests of one call have the same key.',
      hint = 'Send each request once.';
  end if;

  -- Lock first, read afterwards: what is read below cannot change any more.
  select array_agg(w.member_id), array_agg(w.balance), array_agg(w.held), array_agg(w.cap),
         array_agg(w.monthly_grant), array_agg(w.version), array_agg(w.last_granted_at), array_agg(false),
         array_agg(0), array_agg(0)
  into _w_members, _w_balances, _w_helds, _w_caps, _w_grants, _w_versions, _w_granted, _w_touched, _w_given, _w_used
  from (
    select * from public.soundcloud_repost_credit_wallet
    where org_id = _org_id and member_id = any (_members)
    order by id
    for update
  ) w;

  select array_agg(w.place order by r.i) into _w_of
  from unnest(_members) with ordinality as r (member_id, i)
  left join unnest(_w_members) with ordinality as w (member_id, place) on w.member_id = r.member_id;

  select array_agg(l.id order by r.i), array_agg(l.request_hash order by r.i)
  into _found_ids, _found_hashes
  from unnest(_keys) with ordinality as r (key, i)
  left join public.soundcloud_repost_credit_ledger l on l.org_id = _org_id and l.idempotency_key = r.key;

  if _kinds && array['capture', 'release', 'earn'] then
    select array_agg(h.id order by r.i), array_agg(h.amount order by r.i), array_agg(h.status order by r.i)
    into _hold_ids, _hold_amounts, _hold_states
    from unnest(_assignments) with ordinality as r (assignment_id, i)
    left join public.soundcloud_credit_holds h on h.org_id = _org_id and h.assignment_id = r.assignment_id;
  end if;
  if 'grant' = any (_kinds) then
    select s.timezone into _timezone from public.soundcloud_settings s where s.org_id = _org_id;
  end if;

  for _i in 1 .. _n loop
    if _found_ids[_i] is not null then
      if _found_hashes[_i] <> _hashes[_i] then
        perform private.refuse_other_request(_keys[_i]);
      end if;
      continue;
    end if;
    _w := _w_of[_i];
    if _w is null then
      perform private.refuse_without_wallet(_members[_i]);
    end if;
    _headroom := greatest(_w_caps[_w] - _w_balances[_w] - _w_helds[_w], 0);
    _change := 0;
    _held := 0;
    _forfeits[_i] := 0;

    case _kinds[_i]
    when 'hold' then
      _change := - _amounts[_i];
      _held := _amounts[_i];
    when 'capture', 'release' then
      if _hold_states[_i] <> 'open' then
        perform private.refuse('idempotency_mismatch', pg_catalog.format(
          'The hold of assignment %s is %s already.', _assignments[_i], _hold_states[_i]));
      end if;
      _held := - _hold_amounts[_i];
      if _kinds[_i] = 'release' then
        _change := _hold_amounts[_i];
      else
        _captured := _captured || _assignments[_i];
        _w_used[_w] := _w_used[_w] + _hold_amounts[_i];
        _spent := true;
      end if;
    when 'earn' then
      if _hold_amounts[_i] is null
         or not (_hold_states[_i] = 'captured' or _assignments[_i] = any (_captured))
         or _amounts[_i] > _hold_amounts[_i] then
        perform private.refuse('not_captured', pg_catalog.format(
          'Nothing earns more than was captured: capture the hold of assignment %s first, and pay at most its amount.',
          _assignments[_i]));
      end if;
      _change := least(_amounts[_i], _headroom);
      _forfeits[_i] := _amounts[_i] - _change;
    when 'campaign_earn' then
      _change := least(_amounts[_i], _headroom);
      _forfeits[_i] := _amounts[_i] - _change;
    when 'grant' then
      _change := least(_w_grants[_w], _headroom);
      _forfeits[_i] := _w_grants[_w] - _change;
      _w_granted[_w] := greatest(_w_granted[_w], (_months[_i] || '-01')::timestamp at time zone _timezone);
    when 'manual' then
      _change := _amounts[_i];
      _spent := _spent or _change < 0;
      if _change > _headroom then
        _refusals[_i] := 'above_headroom';
      end if;
    end case;
    if _w_balances[_w] + _change < 0 then
      _refusals[_i] := 'insufficient_credits';
    end if;

    if _refusals[_i] is not null then
      if not _partial then
        perform private.refuse(_refusals[_i], pg_catalog.format(
          case _refusals[_i]
            when 'above_headroom' then
              'Member %s can take in %s more credits, not %s. Give fewer, or wait until credits are spent.'
            else 'Member %s can spend %s credits, not %s. Wait for the next grant or earn credits with reposts.'
          end,
          _members[_i],
          case _refusals[_i] when 'above_headroom' then _headroom else _w_balances[_w] end,
          pg_catalog.abs(_change)));
      end if;
      _forfeits[_i] := null;
      continue;
    end if;

    if _kinds[_i] in ('earn', 'campaign_earn', 'grant') then
      _w_given[_w] := _w_given[_w] + _change;
    end if;
    _w_balances[_w] := _w_balances[_w] + _change;
    _w_helds[_w] := _w_helds[_w] + _held;
    _w_versions[_w] := _w_versions[_w] + 1;
    _w_touched[_w] := true;
    _ids[_i] := pg_catalog.gen_random_uuid();
    _versions[_i] := _w_versions[_w];
    _changes[_i] := _change;
    _balances[_i] := _w_balances[_w];
  end loop;

  insert into public.soundcloud_repost_credit_ledger (
    id, org_id, member_id, version, change_amount, balance_after, forfeited, reason, reference_type, reference_id,
    idempotency_key, request_hash, created_by, occurred_at, metadata
  )
  select r.id, _org_id, r.member_id, r.version, r.change_amount, r.balance_after, r.forfeited,
         case r.kind
           when 'hold' then 'schedule'
           when 'capture' then 'capture'
           when 'release' then 'refund'
           when 'earn' then 'repost_earned'
           when 'campaign_earn' then 'campaign_earned'
           when 'grant' then 'monthly_grant'
           else req.value ->> 'reason'
         end,
         case r.kind
           when 'release' then 'refund'
           when 'grant' then 'monthly_grant'
           when 'manual' then 'manual'
           else 'schedule'
         end,
         coalesce(r.assignment_id, (req.value ->> 'reference_id')::uuid),
         r.key, r.hash, (req.value ->> 'created_by')::uuid, _at, coalesce(req.value -> 'metadata', '{}')
  from unnest(_ids, _kinds, _keys, _hashes, _members, _assignments, _versions, _changes, _balances, _forfeits)
    with ordinality as r (id, kind, key, hash, member_id, assignment_id, version, change_amount, balance_after,
                          forfeited, i)
  join pg_catalog.jsonb_array_elements(_requests) with ordinality as req (value, i) using (i)
  where r.id is not null
  -- Two calls that share keys but no wallet wait for each other's keys: in one order, so never in a circle.
  order by r.key
  on conflict (org_id, idempotency_key) do nothing;
  -- The same key from another wallet at the same moment: no lock of ours kept it out, and it was first.
  get diagnostics _written = row_count;
  if _written < pg_catalog.cardinality(pg_catalog.array_remove(_ids, null)) then
    perform private.refuse_other_request(r.key)
    from unnest(_ids, _keys) as r (id, key)
    where r.id is not null
      and not exists (
        select from public.soundcloud_repost_credit_ledger l where l.org_id = _org_id and l.id = r.id)
    order by r.key
    limit 1;
  end if;

  if 'hold' = any (_kinds) then
    insert into public.soundcloud_credit_holds (org_id, member_id, assignment_id, amount, hold_entry_id)
    select _org_id, r.member_id, r.assignment_id, r.amount, r.id
    from unnest(_ids, _kinds, _members, _assignments, _amounts) as r (id, kind, member_id, assignment_id, amount)
    where r.id is not null and r.kind = 'hold';
  end if;
  if _kinds && array['capture', 'release'] then
    update public.soundcloud_credit_holds h
    set status = case r.kind when 'capture' then 'captured' else 'released' end,
        resolving_entry_id = r.id,
        resolved_at = _at
    from unnest(_ids, _kinds, _hold_ids) as r (id, kind, hold_id)
    where r.id is not null and r.kind in ('capture', 'release') and h.id = r.hold_id;
  end if;

  -- After a demotion the cap is still above the tier's: it falls as credits are spent.
  if _spent then
    select array_agg(
      case when w.cap > p.cap then greatest(p.cap, w.balance + w.held, w.monthly_grant) else w.cap end order by w.i)
    into _w_caps
    from unnest(_w_members, _w_balances, _w_helds, _w_caps, _w_grants)
      with ordinality as w (member_id, balance, held, cap, monthly_grant, i)
    join public.soundcloud_members m on m.org_id = _org_id and m.id = w.member_id
    join public.soundcloud_settings s on s.org_id = _org_id
    cross join lateral (select (s.tier_policy -> m.size_tier::text ->> 'cap')::integer) as p (cap);
  end if;

  update public.soundcloud_repost_credit_wallet w
  set balance = r.balance, held = r.held, cap = r.cap, version = r.version, last_granted_at = r.last_granted_at
  from unnest(_w_members, _w_balances, _w_helds, _w_caps, _w_versions, _w_granted, _w_touched)
    as r (member_id, balance, held, cap, version, last_granted_at, touched)
  where w.org_id = _org_id and w.member_id = r.member_id and r.touched;
  update public.soundcloud_members m
  set credits_balance = r.balance,
      net_credits = r.balance,
      credits_cap = r.cap,
      credits_given = m.credits_given + r.given,
      credits_used = m.credits_used + r.used,
      last_grant_at = r.last_granted_at
  from unnest(_w_members, _w_balances, _w_caps, _w_given, _w_used, _w_granted, _w_touched)
    as r (member_id, balance, cap, given, used, last_granted_at, touched)
  where m.org_id = _org_id and m.id = r.member_id and r.touched;

  return query
    select r.i::integer, r.key, coalesce(r.id, l.id), r.member_id, coalesce(r.version, l.version),
           coalesce(r.change_amount, l.change_amount), coalesce(r.balance_after, l.balance_after),
           coalesce(r.forfeited, l.forfeited), r.found_id is not null, r.refused
    from unnest(_keys, _ids, _members, _versions, _changes, _balances, _forfeits, _found_ids, _refusals)
      with ordinality as r (key, id, member_id, version, change_amount, balance_after, forfeited, found_id, refused, i)
    left join public.soundcloud_repost_credit_ledger l on l.org_id = _org_id and l.id = r.found_id
    order by r.i;
end;
$$;

-- One manual change, hold, capture or release that goes through is posted here, wallet and entry in one statement.
-- Nothing is written when the request was posted before, cannot be read or is refused: then, as for the other kinds and
-- for several requests, private.post_credits_unchecked decides, and says why. PL/pgSQL prepares each of its expressions
-- anew in every transaction, which costs more than evaluating it: hence few of them.
create or replace function private.post_credits(
  _org_id uuid,
  _requests jsonb,
  _at timestamptz default null,
  _partial boolean default false
) returns table (
  ordinal integer,
  key text,
  entry_id uuid,
  member_id uuid,
  version bigint,
  change_amount integer,
  balance_after integer,
  forfeited integer,
  replayed boolean,
  refused text
)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  _request jsonb;
  _kind text;
  _assignment_id uuid;
  _amount integer;
  _held integer := 0;
  _used integer := 0;
  _spent boolean := false;
  _reason text;
  _reference_type text := 'schedule';
  _wallet_id uuid;
  _cap integer;
  _policy_cap integer;
begin
  -- The usual case is asked here, because a call costs more than the question.
  if _org_id is null
     or _org_id is distinct from nullif(pg_catalog.current_setting('app.org_id', true), '')::uuid then
    perform private.require_own_org(_org_id);
  end if;
  if _at is null then
    _at := private.business_now();
  end if;

  if pg_catalog.jsonb_array_length(_requests) = 1 then
    _request := _requests -> 0;
    _kind := _request ->> 'kind';
    if _kind = 'manual' then
      key := 'manual:' || (_request ->> 'key');
      member_id := _request ->> 'member_id';
      change_amount := nullif((_request ->> 'amount')::integer, 0);
      _spent := change_amount < 0;
      _reason := nullif(_request ->> 'reason', '');
      _reference_type := 'manual';
    elsif _kind = 'hold' then
      _assignment_id := _request ->> 'assignment_id';
      key := 'hold:' || _assignment_id;
      member_id := _request ->> 'member_id';
      _held := _request ->> 'amount';
      change_amount := case when _held >= 1 then - _held end;
      _reason := 'schedule';
    elsif _kind in ('capture', 'release') then
      -- Whoever resolves the hold while we wait for the wallet leaves an entry under our key.
      _assignment_id := _request ->> 'assignment_id';
      select 'resolve:' || _assignment_id, h.member_id, - h.amount,
             case _kind when 'release' then h.amount else 0 end, case _kind when 'capture' then h.amount else 0 end,
             _kind = 'capture', case _kind when 'capture' then 'capture' else 'refund' end,
             case _kind when 'capture' then 'schedule' else 'refund' end
      into key, member_id, _held, change_amount, _used, _spent, _reason, _reference_type
      from public.soundcloud_credit_holds h
      where h.org_id = _org_id and h.assignment_id = _assignment_id and h.status = 'open';
    end if;

    if key is not null and _reason is not null then
      with wallet as (
        update public.soundcloud_repost_credit_wallet w
        set balance = w.balance + change_amount, held = w.held + _held, version = w.version + 1
        where w.org_id = _org_id
          and w.member_id = post_credits.member_id
          and w.balance + change_amount >= 0
          and w.balance + w.held + change_amount + _held <= w.cap
          and w.held + _held >= 0
        returning w.id, w.version, w.balance, w.cap
      ),
      entry as (
        insert into public.soundcloud_repost_credit_ledger (
          org_id, member_id, version, change_amount, balance_after, reason, reference_type, reference_id,
          idempotency_key, request_hash, created_by, occurred_at, metadata
        )
        select _org_id, post_credits.member_id, w.version, change_amount, w.balance, _reason, _reference_type,
               coalesce(_request ->> 'assignment_id', _request ->> 'reference_id')::uuid, key,
               pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to((_request - 'created_by')::text, 'UTF8')),
                 'hex'),
               (_request ->> 'created_by')::uuid, _at, coalesce(_request -> 'metadata', '{}')
        from wallet w
        on conflict (org_id, idempotency_key) do nothing
        returning id, version, balance_after
      )
      select 1, e.id, e.version, e.balance_after, 0, false, w.id, w.cap
      into ordinal, entry_id, version, balance_after, forfeited, replayed, _wallet_id, _cap
      from wallet w
      left join entry e on true;

      if entry_id is not null then
        -- A statement of its own sees the member as the post before left it; one that waited for the wallet would not.
        update public.soundcloud_members m
        set credits_balance = balance_after,
            net_credits = balance_after,
            credits_used = m.credits_used + _used
        where m.org_id = _org_id and m.id = post_credits.member_id;
        if _kind = 'hold' then
          insert into public.soundcloud_credit_holds (org_id, member_id, assignment_id, amount, hold_entry_id)
          values (_org_id, post_credits.member_id, _assignment_id, _held, entry_id);
        elsif _assignment_id is not null then
          update public.soundcloud_credit_holds h
          set status = case _kind when 'capture' then 'captured' else 'released' end,
              resolving_entry_id = entry_id,
              resolved_at = _at
          where h.org_id = _org_id and h.assignment_id = _assignment_id;
        end if;
        if _spent then
          select (s.tier_policy -> m.size_tier::text ->> 'cap')::integer into _policy_cap
          from public.soundcloud_members m
          join public.soundcloud_settings s on s.org_id = m.org_id
          where m.org_id = _org_id and m.id = post_credits.member_id;
          -- After a demotion the cap is still above the tier's: it falls as credits are spent.
          if _cap > _policy_cap then
            update public.soundcloud_repost_credit_wallet w
            set cap = greatest(_policy_cap, w.balance + w.held, w.monthly_grant)
            where w.id = _wallet_id;
          end if;
        end if;
        return next;
        return;
      elsif _wallet_id is not null then
        -- Somebody posted it before us, perhaps while we waited for the wallet: the wallet goes back to what it was.
        update public.soundcloud_repost_credit_wallet w
        set balance = w.balance - change_amount, held = w.held - _held, version = w.version - 1
        where w.id = _wallet_id;
      end if;
    end if;
  end if;
  return query
    select * from private.post_credits_unchecked(_org_id, _requests, _at, _partial);
end;
$$;

-- The mirror of wallets that change without a post: tiers, repairs.
create or replace function private.mirror_wallets() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  update public.soundcloud_members m
  set credits_balance = new.balance,
      net_credits = new.balance,
      credits_monthly_grant = new.monthly_grant,
      credits_cap = new.cap,
      last_grant_at = new.last_granted_at
  where m.org_id = new.org_id and m.id = new.member_id;
  return null;
end;
$$;
drop trigger mirror_wallets on public.soundcloud_repost_credit_wallet;
create trigger mirror_wallets after update on public.soundcloud_repost_credit_wallet
  for each row
  when (new.version = old.version)
  execute function private.mirror_wallets();

revoke execute on function
  private.refuse_other_request(text),
  private.refuse_without_wallet(uuid),
  private.grant_hash(uuid, text),
  private.post_grants(uuid, uuid[], text, timestamptz),
  private.members_granted_by(jsonb),
  private.post_grants_of(uuid, uuid[], text, timestamptz)
from public;
