-- A changed tier policy reaches every wallet of the org in the transaction that changes it, whoever changes it. Until now
-- it waited for the next look at the member's profile, which some members never get: without SoundCloud, without an
-- account, with a profile that is gone.

-- As before (20260201010000), but a mirror that is right already is not written again.
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
  where m.org_id = new.org_id and m.id = new.member_id
    and (m.credits_balance, m.net_credits, m.credits_monthly_grant, m.credits_cap, m.last_grant_at)
      is distinct from (new.balance, new.balance, new.monthly_grant, new.cap, new.last_granted_at);
  return null;
end;
$$;

-- Wallets as the policy has them: the grant is the tier's, a higher cap counts at once, and a lower one as credits are
-- spent (private.post_credits). A tier that the policy does not name leaves its wallets as they are.
create function private.apply_tier_policy(_org_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- All of them: whose tier is changing at this moment is known only with the lock.
  perform from (
    select from public.soundcloud_repost_credit_wallet w
    where w.org_id = _org_id
    order by w.id
    for update
  ) locked;
  with wallet as (
    update public.soundcloud_repost_credit_wallet w
    set monthly_grant = p.monthly_grant,
        cap = greatest(p.cap, w.balance + w.held, p.monthly_grant),
        updated_at = pg_catalog.now()
    from public.soundcloud_members m
    join public.soundcloud_settings s on s.org_id = m.org_id
    cross join lateral (
      select (s.tier_policy -> m.size_tier::text ->> 'monthly_grant')::integer,
             (s.tier_policy -> m.size_tier::text ->> 'cap')::integer
    ) as p (monthly_grant, cap)
    where m.org_id = _org_id and w.org_id = m.org_id and w.member_id = m.id
      and p.monthly_grant is not null and p.cap is not null
      and (w.monthly_grant, w.cap) <> (p.monthly_grant, greatest(p.cap, w.balance + w.held, p.monthly_grant))
    returning w.member_id, w.monthly_grant, w.cap
  )
  -- The mirrors of all at once: their trigger, called for each, finds nothing left to do.
  update public.soundcloud_members m
  set credits_monthly_grant = w.monthly_grant, credits_cap = w.cap, updated_at = pg_catalog.now()
  from wallet w
  where m.org_id = _org_id and m.id = w.member_id;
end;
$$;

create function private.tier_policy_changed() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.apply_tier_policy(new.org_id);
  return null;
end;
$$;
create trigger tier_policy_changed after update of tier_policy on public.soundcloud_settings
  for each row when (old.tier_policy is distinct from new.tier_policy)
  execute function private.tier_policy_changed();

revoke execute on function private.apply_tier_policy(uuid), private.tier_policy_changed() from public;

-- As before (20260201010200), but for the lock on the settings: a member who joins beside a change of the policy comes
-- with its wallet before the change looks for wallets, or after it is known.
create or replace function private.open_wallets() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _org record;
  _now timestamptz := private.business_now();
  _missing uuid;
begin
  perform from (
    select from public.soundcloud_settings s
    where s.org_id in (select n.org_id from new_members n)
    order by s.org_id
    for share
  ) locked;
  select n.org_id into _missing from new_members n
  where not exists (select from public.soundcloud_settings s where s.org_id = n.org_id) limit 1;
  if _missing is not null then
    perform private.refuse('not_found',
      pg_catalog.format('Org %s has no settings. Create it with `spark org create`.', _missing));
  end if;
  insert into public.soundcloud_repost_credit_wallet (org_id, member_id, balance, monthly_grant, cap, last_granted_at)
  select n.org_id, n.id, 0, (p.policy ->> 'monthly_grant')::integer, (p.policy ->> 'cap')::integer,
         pg_catalog.date_trunc('month', _now at time zone s.timezone) at time zone s.timezone
  from new_members n
  join public.soundcloud_settings s on s.org_id = n.org_id
  cross join lateral (select s.tier_policy -> n.size_tier::text) as p (policy);
  for _org in
    select n.org_id, array_agg(n.id) as member_ids, pg_catalog.to_char(_now at time zone s.timezone, 'YYYY-MM') as month
    from new_members n
    join public.soundcloud_settings s on s.org_id = n.org_id
    group by n.org_id, s.timezone
  loop
    perform from private.post_grants(_org.org_id, _org.member_ids, _org.month, _now);
  end loop;
  return null;
end;
$$;

-- What changed before this migration.
do $$
begin
  perform private.apply_tier_policy(o.id) from public.orgs o order by o.id;
end;
$$;
