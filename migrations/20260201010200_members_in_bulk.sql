-- Many members in one statement: what their triggers do is set-based, and each member is written once.

-- The wallet of a new member is mirrored by its first grant; one that is put in by itself, by a trigger.
create or replace function private.open_wallets() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _org record;
  _now timestamptz := private.business_now();
  _missing uuid;
begin
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

drop trigger mirror_new_wallets on public.soundcloud_repost_credit_wallet;
-- Only its trigger called it.
-- squawk-ignore ban-drop-function
drop function private.mirror_new_wallets();
create trigger mirror_new_wallets after insert on public.soundcloud_repost_credit_wallet
  for each row
  when (pg_catalog.pg_trigger_depth() = 0)
  execute function private.mirror_wallets();

-- `followers` follows the SoundCloud account; a member has one at most. Joined as sets: asked member by member, a table
-- without statistics was read whole for each of them.
create or replace function private.mirror_accounts() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _org record;
begin
  for _org in
    -- A change of anything else on the account needs no lock. The row is ours, so its count does not change meanwhile.
    select c.org_id, array_agg(distinct c.member_id) as member_ids
    from changed c
    join public.soundcloud_members m on m.org_id = c.org_id and m.id = c.member_id
    where c.platform = 'soundcloud'
      and m.followers <> case tg_op when 'DELETE' then 0 else c.follower_count end
    group by c.org_id
  loop
    perform private.lock_wallets(_org.org_id, _org.member_ids);
    update public.soundcloud_members m
    set followers = f.followers
    from (
      select given.id, coalesce(a.follower_count, 0) as followers
      from unnest(_org.member_ids) as given (id)
      left join (
        select x.member_id, x.follower_count from public.soundcloud_member_accounts x
        where x.org_id = _org.org_id and x.platform = 'soundcloud' and x.member_id = any (_org.member_ids)
      ) a on a.member_id = given.id
    ) f
    where m.org_id = _org.org_id and m.id = f.id and m.followers is distinct from f.followers;
  end loop;
  return null;
end;
$$;

-- `families` and `subgenres` follow member_genres, by name.
create or replace function private.refresh_member_genres(_org_id uuid, _member_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.lock_wallets(_org_id, _member_ids);
  update public.soundcloud_members m
  set families = g.families, subgenres = g.subgenres
  from (
    select given.id,
           coalesce(array_agg(distinct n.family order by n.family) filter (where n.family is not null), '{}')
             as families,
           coalesce(array_agg(distinct n.subgenre order by n.subgenre) filter (where n.subgenre is not null), '{}')
             as subgenres
    from unnest(_member_ids) as given (id)
    left join (
      select mg.member_id, f.name as family, s.name as subgenre
      from public.soundcloud_member_genres mg
      join public.soundcloud_genre_families f on f.org_id = mg.org_id and f.id = mg.genre_family_id
      left join public.soundcloud_subgenres s on s.org_id = mg.org_id and s.id = mg.subgenre_id
      where mg.org_id = _org_id and mg.member_id = any (_member_ids)
    ) n on n.member_id = given.id
    group by given.id
  ) as g
  where m.org_id = _org_id and m.id = g.id and (m.families, m.subgenres) is distinct from (g.families, g.subgenres);
end;
$$;

-- The only way followers and tiers change after admission.
-- _rows: [{member_id, account_id, followers, size_tier, below_tier_syncs}], the last two as domain/tiers decided them.
-- A rise lifts cap and grant at once; after a fall the cap is max(the tier's, balance + held) and falls on as credits
-- are spent. Returns the members whose tier changed. Lock order: account, wallet, member. Whoever writes an account by
-- itself has its row before the trigger reaches for the wallet.
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
  where m.org_id = _org_id and m.id = any (_changed) and w.org_id = m.org_id and w.member_id = m.id;

  return query
    select m.id, b.tier, m.size_tier
    from unnest(_changed, _before) as b (id, tier)
    join public.soundcloud_members m on m.org_id = _org_id and m.id = b.id
    order by m.id;
end;
$$;
