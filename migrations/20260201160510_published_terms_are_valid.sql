alter table public.soundcloud_queue_assignments
  validate constraint assignment_fee_percent,
  validate constraint assignment_unrepost_after_hours;
