-- private.post_credits is the only writer of wallets' balances, of the ledger and of holds.
--
-- _requests is an array of objects, applied in order, all or nothing:
--   {kind: hold, member_id, assignment_id, amount}          the artist pays into a hold
--   {kind: capture, assignment_id}                          the hold is spent
--   {kind: release, assignment_id}                          the hold goes back
--   {kind: earn, member_id, assignment_id, amount}          the supporter's share of a captured hold
--   {kind: campaign_earn, member_id, reference_id, amount}  a campaign's repost (reference_id = schedule); minted
--   {kind: grant, member_id, month: 'YYYY-MM'}              the monthly grant, once per member and month
--   {kind: manual, member_id, amount, reason, key}          a change by ops, either sign; key tells changes apart
-- optional everywhere: created_by, metadata; for manual also reference_id.
--
-- Wallets are locked in id order; entries get the wallet's next version and the balance after them. The same request
-- under the same idempotency key gives the entry of the first time (replayed); another request under it is refused.
-- Grants and earnings fill headroom = cap - balance - held; the rest is `forfeited`, if need be all of it.
-- Refusals (SPK01): insufficient_credits, above_headroom, idempotency_mismatch, not_found, not_captured, wrong_org.
-- With _partial, insufficient_credits and above_headroom refuse their own request only (column `refused`).

create function private.post_credits_unchecked(
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
begin
  if _n = 0 then
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
         array_agg(w.monthly_grant), array_agg(w.version), array_agg(w.last_granted_at), array_agg(false)
  into _w_members, _w_balances, _w_helds, _w_caps, _w_grants, _w_versions, _w_granted, _w_touched
  from (
    select * from public.soundcloud_repost_credit_wallet
    where org_id = _org_id and member_id = any (_members)
    order by id
    for update
  ) w;

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
        perform private.refuse('idempotency_mismatch', pg_catalog.format(
          'The key %s belongs to another credit change. Read the ledger entry of that key before trying again.',
          _keys[_i]));
      end if;
      continue;
    end if;
    _w := pg_catalog.array_position(_w_members, _members[_i]);
    if _w is null then
      perform private.refuse('not_found', pg_catalog.format('Member %s of this org has no wallet.', _members[_i]));
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
  order by r.i;

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

create function private.post_credits(
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
begin
  perform private.require_own_org(_org_id);
  return query
    select * from private.post_credits_unchecked(_org_id, _requests, coalesce(_at, private.business_now()), _partial);
end;
$$;

revoke execute on function
  private.post_credits_unchecked(uuid, jsonb, timestamptz, boolean),
  private.post_credits(uuid, jsonb, timestamptz, boolean)
from public;
grant execute on function private.post_credits(uuid, jsonb, timestamptz, boolean) to spark_worker, spark_api;
