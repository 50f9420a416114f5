-- spark: no-transaction
-- The index that this one takes the place of.
drop index concurrently if exists public.idx_soundcloud_submissions_created_at;
