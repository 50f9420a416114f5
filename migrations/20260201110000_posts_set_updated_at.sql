-- updated_at where credits are posted: calling a PL/pgSQL trigger for each row costs a post about a tenth and a page of
-- grants as much as its keys do. Who sets updated_at by itself is believed; roles of the API may not write it.

drop trigger update_soundcloud_repost_credit_wallet_updated_at on public.soundcloud_repost_credit_wallet;
create trigger update_soundcloud_repost_credit_wallet_updated_at
  before update on public.soundcloud_repost_credit_wallet
  for each row
  when (new.updated_at = old.updated_at)
  execute function public.update_updated_at_column();
drop trigger update_soundcloud_members_updated_at on public.soundcloud_members;
create trigger update_soundcloud_members_updated_at
  before update on public.soundcloud_members
  for each row
  when (new.updated_at = old.updated_at)
  execute function public.update_updated_at_column();

-- Both as before (20260201010000), but for updated_at.
create or replace function private.post_grants(_org_id uuid, _member_ids uuid[], _month text, _at timestamptz)
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
          last_granted_at = greatest(w.last_granted_at, _month_start),
          updated_at = pg_catalog.now()
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
          last_grant_at = w.last_granted_at,
          updated_at = pg_catalog.now()
      from wallet w
      where m.org_id = _org_id and m.id = w.member_id
    )
    select e.member_id, e.id, e.version, e.change_amount, e.balance_after, e.forfeited from entry e;
end;
$$;

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
        set balance = w.balance + change_amount, held = w.held + _held, version = w.version + 1,
            updated_at = pg_catalog.now()
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
            credits_used = m.credits_used + _used,
            updated_at = pg_catalog.now()
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
