-- A changed tier policy reaches the wallets with the next daily look at accounts, not only those whose tier changes with
-- it: the grant is the tier's, a higher cap counts at once, and a lower one as credits are spent (private.post_credits).

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

  update public.soundcloud_repost_credit_wallet w
  set monthly_grant = p.monthly_grant,
      cap = greatest(p.cap, w.balance + w.held)
  from public.soundcloud_members m
  join public.soundcloud_settings s on s.org_id = m.org_id
  cross join lateral (
    select (s.tier_policy -> m.size_tier::text ->> 'monthly_grant')::integer,
           (s.tier_policy -> m.size_tier::text ->> 'cap')::integer
  ) as p (monthly_grant, cap)
  where m.org_id = _org_id and m.id = any (_member_ids) and w.org_id = m.org_id and w.member_id = m.id
    and (w.monthly_grant, w.cap) <> (p.monthly_grant, greatest(p.cap, w.balance + w.held));

  return query
    select m.id, b.tier, m.size_tier
    from unnest(_changed, _before) as b (id, tier)
    join public.soundcloud_members m on m.org_id = _org_id and m.id = b.id
    order by m.id;
end;
$$;
