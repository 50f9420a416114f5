-- One index reads submissions by creation in both directions, ties by id the same way round, as lists are sorted.
create index idx_soundcloud_submissions_by_creation on public.soundcloud_submissions (org_id, created_at, id);
drop index public.idx_soundcloud_submissions_created_at;
