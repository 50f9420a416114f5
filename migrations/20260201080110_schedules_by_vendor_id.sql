-- spark: no-transaction
-- squawk-ignore-file ban-concurrent-index-creation-in-transaction
-- Webhooks name the vendor's id and no org.
create index concurrently if not exists idx_soundcloud_schedules_ip_schedule_id
  on public.soundcloud_schedules (ip_schedule_id) where ip_schedule_id is not null;
