-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- The month a grant is for stands at the end of its key `grant:<member>:<YYYY-MM>`; a late grant is written in another.
create index concurrently if not exists idx_soundcloud_repost_credit_ledger_grants
  on public.soundcloud_repost_credit_ledger (org_id, right(idempotency_key, 7), member_id)
  include (change_amount, forfeited) where reference_type = 'monthly_grant';
