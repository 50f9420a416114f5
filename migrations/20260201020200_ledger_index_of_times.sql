-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- A month of the ledger: entries are written in the order of their time, so a BRIN finds a month's blocks and costs an
-- insert next to nothing.
create index concurrently if not exists idx_soundcloud_repost_credit_ledger_occurred_at
  on public.soundcloud_repost_credit_ledger using brin (occurred_at)
  with (pages_per_range = 16, autosummarize = on);
