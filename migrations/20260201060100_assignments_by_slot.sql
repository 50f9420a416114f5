-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- Lists of assignments are sorted by their slot, ties by id, in both directions; reports look at those since a day.
create index concurrently if not exists idx_soundcloud_queue_assignments_by_slot
  on public.soundcloud_queue_assignments (org_id, slot_at, id);
