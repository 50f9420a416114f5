-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- The vendor knows no idempotency key, so a second open row for an assignment would be a second repost.
create unique index concurrently if not exists uq_soundcloud_schedules_open_assignment
  on public.soundcloud_schedules (org_id, assignment_id)
  where closed_at is null and assignment_id is not null;
