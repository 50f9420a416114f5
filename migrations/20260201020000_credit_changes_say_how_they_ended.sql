-- A manual change at or below settings.four_eyes_threshold is `applied` at once by whoever asks for it; a larger one is
-- `approved` by a second person. Both have an entry and nothing else has one. `two_people` let an approval without a
-- second person pass, because `null <> requested_by` is null. What is dropped here is added again, wider or stricter.
alter table public.soundcloud_credit_change_requests
  -- squawk-ignore ban-drop-constraint
  drop constraint soundcloud_credit_change_requests_status_check,
  -- squawk-ignore ban-drop-constraint
  drop constraint two_people,
  add constraint credit_change_status
    check (status in ('pending', 'applied', 'approved', 'rejected', 'withdrawn')) not valid,
  add constraint two_people
    check (case when status in ('approved', 'rejected') then decided_by is not null and decided_by <> requested_by
                else decided_by is null or decided_by = requested_by end) not valid,
  add constraint entry_when_credited
    check ((status in ('applied', 'approved')) = (entry_id is not null)) not valid;
