-- For a worker that reads balances and then posts by them: the wallets' locks, taken once and in id order.

create function private.hold_wallets(_org_id uuid, _member_ids uuid[]) returns void
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  perform private.lock_wallets(_org_id, _member_ids);
end
$$;

revoke all on function private.hold_wallets(uuid, uuid[]) from public;
grant execute on function private.hold_wallets(uuid, uuid[]) to spark_worker;
