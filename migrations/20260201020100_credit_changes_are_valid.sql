alter table public.soundcloud_credit_change_requests
  validate constraint credit_change_status,
  validate constraint two_people,
  validate constraint entry_when_credited;
