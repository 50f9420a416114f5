-- What a policy makes of a wallet is said once. Two functions worked the cap out, one of them without the grant: a policy
-- whose cap is below its grant, which only SQL can write, went through with the change and failed the next look at a
-- profile, each new member, and posts that lower a cap. Now the settings refuse it.

alter table public.soundcloud_settings
  -- A tier that is not named, or named in part, says nothing.
  add constraint tier_policy_cap_holds_grant check (
    (tier_policy #>> '{T1,cap}')::integer >= (tier_policy #>> '{T1,monthly_grant}')::integer
    and (tier_policy #>> '{T2,cap}')::integer >= (tier_policy #>> '{T2,monthly_grant}')::integer
    and (tier_policy #>> '{T3,cap}')::integer >= (tier_policy #>> '{T3,monthly_grant}')::integer
    and (tier_policy #>> '{T4,cap}')::integer >= (tier_policy #>> '{T4,monthly_grant}')::integer
  ) not valid;

-- Wallets of these members as the policy has them: the grant is the tier's, a higher cap counts at once, and a lower one as
-- credits are spent (private.post_credits). A tier that the policy does not name leaves its wallets as they are. The
-- wallets must be locked.
create function private.apply_tier_policy(_org_id uuid, _member_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  with wallet as (
    update public.soundcloud_repost_credit_wallet w
    set monthly_grant = p.monthly_grant,
        cap = greatest(p.cap, w.balance + w.held),
        updated_at = pg_catalog.now()
    from public.soundcloud_members m
    join public.soundcloud_settings s on s.org_id = m.org_id
    cross join lateral (
      select (s.tier_policy -> m.size_tier::text ->> 'monthly_grant')::integer,
             (s.tier_policy -> m.size_tier::text ->> 'cap')::integer
    ) as p (monthly_grant, cap)
    where m.org_id = _org_id and m.id = any (_member_ids) and w.org_id = m.org_id and w.member_id = m.id
      and p.monthly_grant is not null and p.cap is not null
      and (w.monthly_grant, w.cap) <> (p.monthly_grant, greatest(p.cap, w.balance + w.held))
    returning w.member_id, w.monthly_grant, w.cap
  )
  -- The mirrors of all at once: their trigger, called for each, finds nothing left to do.
  update public.soundcloud_members m
  set credits_monthly_grant = w.monthly_grant, credits_cap = w.cap, updated_at = pg_catalog.now()
  from wallet w
  where m.org_id = _org_id and m.id = w.member_id;
end;
$$;
revoke execute on function private.apply_tier_policy(uuid, uuid[]) from public;

create or replace function private.tier_policy_changed() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _member_ids uuid[];
begin
  -- All of them: whose tier is changing at this moment is known only with the lock.
  select array_agg(locked.member_id) into _member_ids
  from (
    select w.member_id from public.soundcloud_repost_credit_wallet w
    where w.org_id = new.org_id
    order by w.id
    for update
  ) locked;
  perform private.apply_tier_policy(new.org_id, _member_ids);
  return null;
end;
$$;

-- The one above has its place.
-- squawk-ignore ban-drop-function
drop function private.apply_tier_policy(uuid);

-- As before (20260201100100), but for the wallets.
create or replace function private.apply_follower_sync(_org_id uuid, _rows jsonb, _at timestamptz)
returns table (
  member_id uuid,
  tier_before public.soundcloud_size_tier,
  tier_after public.soundcloud_size_tier
)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  _member_ids uuid[];
  _changed uuid[];
  _before public.soundcloud_size_tier[];
begin
  perform private.require_own_org(_org_id);
  select array_agg((r.value ->> 'member_id')::uuid) into _member_ids
  from pg_catalog.jsonb_array_elements(_rows) r;
  perform from (
    select from public.soundcloud_member_accounts a
    where a.org_id = _org_id
      and a.id = any (array(select (r.value ->> 'account_id')::uuid from pg_catalog.jsonb_array_elements(_rows) r))
    order by a.id
    for no key update
  ) locked;
  perform private.lock_wallets(_org_id, _member_ids);

  select array_agg(m.id), array_agg(m.size_tier) into _changed, _before
  from pg_catalog.jsonb_to_recordset(_rows) as r (member_id uuid, size_tier public.soundcloud_size_tier)
  join public.soundcloud_members m on m.org_id = _org_id and m.id = r.member_id
  where m.size_tier <> r.size_tier;

  update public.soundcloud_member_accounts a
  set follower_count = r.followers, last_synced_at = _at
  from pg_catalog.jsonb_to_recordset(_rows) as r (account_id uuid, followers integer)
  where a.org_id = _org_id and a.id = r.account_id;

  update public.soundcloud_members m
  set soundcloud_followers = r.followers,
      size_tier = r.size_tier,
      below_tier_syncs = r.below_tier_syncs,
      tier_updated_at = case when m.size_tier <> r.size_tier then _at else m.tier_updated_at end
  from pg_catalog.jsonb_to_recordset(_rows)
    as r (member_id uuid, followers integer, size_tier public.soundcloud_size_tier, below_tier_syncs integer)
  where m.org_id = _org_id and m.id = r.member_id;

  perform private.apply_tier_policy(_org_id, _member_ids);

  return query
    select m.id, b.tier, m.size_tier
    from unnest(_changed, _before) as b (id, tier)
    join public.soundcloud_members m on m.org_id = _org_id and m.id = b.id
    order by m.id;
end;
$$;
