-- A member is active from joining on, in the time in which inactivity is counted: by now(), everybody who joined under a
-- compressed clock that is ahead was inactive at once, and nobody was asked for a repost.
alter table public.soundcloud_members
  alter column last_activity_at set default coalesce(private.business_now(), now());
grant execute on function private.business_now() to service_role;
