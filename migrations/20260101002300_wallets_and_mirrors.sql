-- Wallets come with members; tiers and followers change in one place; deprecated member columns follow by trigger.
-- Lock order everywhere: wallet (in id order), then member. The other order deadlocks against the mirror trigger.

create function private.lock_wallets(_org_id uuid, _member_ids uuid[]) returns void
language sql
set search_path = ''
as $$
  select w.id from public.soundcloud_repost_credit_wallet w
  where w.org_id = _org_id and w.member_id = any (_member_ids)
  order by w.id
  for update
$$;

create function private.tier_of(_thresholds jsonb, _followers integer) returns public.soundcloud_size_tier
language sql immutable
set search_path = ''
as $$
  select coalesce(max(t.key::public.soundcloud_size_tier), 'T1')
  from pg_catalog.jsonb_each(_thresholds) t
  where (t.value ->> 'min')::integer <= _followers
$$;

-- E-mails are compared in lower case everywhere; the primary one is one of them. A new member's tier follows from the
-- followers it comes with; later only the follower sync changes it.
create function private.normalise_member() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  new.primary_email := nullif(pg_catalog.lower(pg_catalog.btrim(new.primary_email)), '');
  new.emails := array(
    select e.email
    from unnest(new.primary_email || new.emails) with ordinality as given (email, i)
    cross join lateral (select pg_catalog.lower(pg_catalog.btrim(given.email))) as e (email)
    where e.email <> ''
    group by e.email
    order by min(given.i)
  );
  if pg_catalog.cardinality(new.emails) > 5 then
    perform private.refuse('too_many_emails', 'A member has at most 5 e-mail addresses. Remove one first.');
  end if;
  new.primary_email := coalesce(new.primary_email, new.emails[1]);
  if tg_op = 'INSERT' and new.soundcloud_followers > 0 then
    select private.tier_of(s.size_tier_thresholds, new.soundcloud_followers) into new.size_tier
    from public.soundcloud_settings s
    where s.org_id = new.org_id;
    new.size_tier := coalesce(new.size_tier, 'T1');
  end if;
  return new;
end;
$$;
create trigger normalise_member_insert before insert on public.soundcloud_members
  for each row execute function private.normalise_member();
create trigger normalise_member_emails before update of emails, primary_email on public.soundcloud_members
  for each row execute function private.normalise_member();

-- A new member has a wallet and starts with one grant.
create function private.open_wallets() returns trigger
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
    select n.org_id,
           pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('kind', 'grant', 'member_id', n.id,
             'month', pg_catalog.to_char(_now at time zone s.timezone, 'YYYY-MM'))) as requests
    from new_members n
    join public.soundcloud_settings s on s.org_id = n.org_id
    group by n.org_id
  loop
    perform private.post_credits_unchecked(_org.org_id, _org.requests, _now, false);
  end loop;
  return null;
end;
$$;
create trigger open_wallets after insert on public.soundcloud_members
  referencing new table as new_members
  for each statement execute function private.open_wallets();

-- credits_* and net_credits follow wallet and ledger. The entries behind a new balance are written before the wallet,
-- so that one update of the member carries both.
create function private.mirror_wallets() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  update public.soundcloud_members m
  set credits_balance = n.balance,
      net_credits = n.balance,
      credits_monthly_grant = n.monthly_grant,
      credits_cap = n.cap,
      last_grant_at = n.last_granted_at,
      credits_given = m.credits_given + moved.given,
      credits_used = m.credits_used + moved.used
  from new_wallets n
  join old_wallets o on o.id = n.id
  cross join lateral (
    select
      coalesce(sum(l.change_amount)
        filter (where l.reason in ('monthly_grant', 'repost_earned', 'campaign_earned')), 0) as given,
      coalesce(sum(h.amount), 0) as used
    from public.soundcloud_repost_credit_ledger l
    left join public.soundcloud_credit_holds h
      on l.reason = 'capture' and h.org_id = l.org_id and h.resolving_entry_id = l.id
    where l.org_id = n.org_id and l.member_id = n.member_id and l.version > o.version and l.version <= n.version
  ) as moved
  where m.org_id = n.org_id and m.id = n.member_id;
  return null;
end;
$$;
create trigger mirror_wallets after update on public.soundcloud_repost_credit_wallet
  referencing old table as old_wallets new table as new_wallets
  for each statement execute function private.mirror_wallets();

create function private.mirror_new_wallets() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  update public.soundcloud_members m
  set credits_balance = n.balance, net_credits = n.balance, credits_monthly_grant = n.monthly_grant,
      credits_cap = n.cap, last_grant_at = n.last_granted_at
  from new_wallets n
  where m.org_id = n.org_id and m.id = n.member_id;
  return null;
end;
$$;
create trigger mirror_new_wallets after insert on public.soundcloud_repost_credit_wallet
  referencing new table as new_wallets
  for each statement execute function private.mirror_new_wallets();

-- `followers` follows the SoundCloud account.
create function private.mirror_accounts() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _org record;
begin
  for _org in
    select c.org_id, array_agg(distinct c.member_id) as member_ids from changed c group by c.org_id
  loop
    perform private.lock_wallets(_org.org_id, _org.member_ids);
    update public.soundcloud_members m
    set followers = f.followers
    from unnest(_org.member_ids) as given (id)
    cross join lateral (
      select coalesce(max(a.follower_count), 0) from public.soundcloud_member_accounts a
      where a.org_id = _org.org_id and a.member_id = given.id and a.platform = 'soundcloud'
    ) as f (followers)
    where m.org_id = _org.org_id and m.id = given.id and m.followers is distinct from f.followers;
  end loop;
  return null;
end;
$$;
create trigger mirror_accounts_insert after insert on public.soundcloud_member_accounts
  referencing new table as changed for each statement execute function private.mirror_accounts();
create trigger mirror_accounts_update after update on public.soundcloud_member_accounts
  referencing new table as changed for each statement execute function private.mirror_accounts();
create trigger mirror_accounts_delete after delete on public.soundcloud_member_accounts
  referencing old table as changed for each statement execute function private.mirror_accounts();

-- `families` and `subgenres` follow member_genres, by name.
create function private.refresh_member_genres(_org_id uuid, _member_ids uuid[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.lock_wallets(_org_id, _member_ids);
  update public.soundcloud_members m
  set families = g.families, subgenres = g.subgenres
  from unnest(_member_ids) as given (id)
  cross join lateral (
    select coalesce(array_agg(distinct f.name order by f.name), '{}'),
           coalesce(array_agg(distinct s.name order by s.name) filter (where s.name is not null), '{}')
    from public.soundcloud_member_genres mg
    join public.soundcloud_genre_families f on f.org_id = mg.org_id and f.id = mg.genre_family_id
    left join public.soundcloud_subgenres s on s.org_id = mg.org_id and s.id = mg.subgenre_id
    where mg.org_id = _org_id and mg.member_id = given.id
  ) as g (families, subgenres)
  where m.org_id = _org_id and m.id = given.id and (m.families, m.subgenres) is distinct from (g.families, g.subgenres);
end;
$$;

create function private.mirror_genres() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _org record;
begin
  for _org in
    select c.org_id, array_agg(distinct c.member_id) as member_ids from changed c group by c.org_id
  loop
    perform private.refresh_member_genres(_org.org_id, _org.member_ids);
  end loop;
  return null;
end;
$$;
create trigger mirror_genres_insert after insert on public.soundcloud_member_genres
  referencing new table as changed for each statement execute function private.mirror_genres();
create trigger mirror_genres_update after update on public.soundcloud_member_genres
  referencing new table as changed for each statement execute function private.mirror_genres();
create trigger mirror_genres_delete after delete on public.soundcloud_member_genres
  referencing old table as changed for each statement execute function private.mirror_genres();

create function private.mirror_genre_name() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.refresh_member_genres(new.org_id, array_agg(distinct mg.member_id))
  from public.soundcloud_member_genres mg
  where mg.org_id = new.org_id and new.id in (mg.genre_family_id, mg.subgenre_id)
  having count(*) > 0;
  return null;
end;
$$;
create trigger mirror_genre_name after update of name on public.soundcloud_genre_families
  for each row when (new.name is distinct from old.name) execute function private.mirror_genre_name();
create trigger mirror_genre_name after update of name on public.soundcloud_subgenres
  for each row when (new.name is distinct from old.name) execute function private.mirror_genre_name();

-- The only way followers and tiers change after admission.
-- _rows: [{member_id, account_id, followers, size_tier, below_tier_syncs}], the last two as domain/tiers decided them.
-- A rise lifts cap and grant at once; after a fall the cap is max(the tier's, balance + held) and falls on as credits
-- are spent. Returns the members whose tier changed.
create function private.apply_follower_sync(_org_id uuid, _rows jsonb, _at timestamptz)
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

revoke execute on function
  private.lock_wallets(uuid, uuid[]),
  private.tier_of(jsonb, integer),
  private.normalise_member(),
  private.open_wallets(),
  private.mirror_wallets(),
  private.mirror_new_wallets(),
  private.mirror_accounts(),
  private.refresh_member_genres(uuid, uuid[]),
  private.mirror_genres(),
  private.mirror_genre_name(),
  private.apply_follower_sync(uuid, jsonb, timestamptz)
from public;
grant execute on function private.apply_follower_sync(uuid, jsonb, timestamptz) to spark_worker;
