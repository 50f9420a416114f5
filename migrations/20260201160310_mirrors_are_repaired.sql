-- What `spark doctor` says about a member whose mirrors of wallet, ledger and holds are wrong: write all of them anew.

-- The wallet first, as every post does: what is read afterwards does not move.
create function private.repair_mirrors(_org_id uuid, _member_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.lock_wallets(_org_id, array[_member_id]);
  update public.soundcloud_members m
  set credits_balance = w.balance,
      net_credits = w.balance,
      credits_monthly_grant = w.monthly_grant,
      credits_cap = w.cap,
      last_grant_at = w.last_granted_at,
      credits_given = moved.given,
      credits_used = moved.used
  from public.soundcloud_repost_credit_wallet w
  cross join lateral (
    select
      (select coalesce(sum(l.change_amount), 0)
       from public.soundcloud_repost_credit_ledger l
       where l.org_id = w.org_id and l.member_id = w.member_id
         and l.reason in ('monthly_grant', 'repost_earned', 'campaign_earned')
         -- The reason of a manual change is what somebody wrote.
         and l.reference_type is distinct from 'manual'),
      (select coalesce(sum(h.amount), 0)
       from public.soundcloud_credit_holds h
       where h.org_id = w.org_id and h.member_id = w.member_id and h.status = 'captured')
  ) as moved (given, used)
  where w.org_id = _org_id and w.member_id = _member_id and m.org_id = w.org_id and m.id = w.member_id;
end;
$$;
revoke execute on function private.repair_mirrors(uuid, uuid) from public;
