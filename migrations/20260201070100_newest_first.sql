-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- One index reads submissions by creation in both directions, ties by id the same way round, as lists are sorted.
create index concurrently if not exists idx_soundcloud_submissions_by_creation
  on public.soundcloud_submissions (org_id, created_at, id);
