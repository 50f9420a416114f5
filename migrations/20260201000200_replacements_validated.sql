-- The rows that were there are looked at in a transaction of their own, without the lock that adding a key takes.
alter table public.soundcloud_queue_assignments
  validate constraint soundcloud_queue_assignments_replacement_for_fkey;
