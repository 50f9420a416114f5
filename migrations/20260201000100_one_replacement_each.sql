-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- One replacement for each, whoever comes first: the backfill of the day or a later queue.
create unique index concurrently if not exists uq_soundcloud_queue_assignments_replacement_for
  on public.soundcloud_queue_assignments (org_id, replacement_for) where replacement_for is not null;
