-- spark: no-transaction
-- Lists of assignments are sorted by their slot, ties by id, in both directions; reports look at those since a day.
drop index concurrently if exists public.idx_soundcloud_queue_assignments_by_slot;
create index concurrently idx_soundcloud_queue_assignments_by_slot
  on public.soundcloud_queue_assignments (org_id, slot_at, id);
