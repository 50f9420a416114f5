-- The twelve enums of the existing database. `cancelled` joins the campaign's states; everything else is as it was.
create type public.soundcloud_app_role as enum ('admin', 'moderator', 'member');
create type public.soundcloud_member_status as enum ('active', 'needs_reconnect');
create type public.soundcloud_size_tier as enum ('T1', 'T2', 'T3', 'T4');
create type public.soundcloud_submission_status as enum ('new', 'pending', 'approved', 'rejected', 'qa_flag');
create type public.soundcloud_inquiry_status as enum ('undecided', 'admitted', 'rejected');
create type public.soundcloud_complaint_status as enum ('todo', 'in_progress', 'done');
create type public.soundcloud_target_band_mode as enum ('balance', 'size');
create type public.soundcloud_notification_type as enum
  ('info', 'success', 'warning', 'error', 'submission', 'inquiry', 'queue', 'support');
create type public.soundcloud_campaign_status as enum
  ('intake', 'draft', 'scheduled', 'live', 'completed', 'paused', 'cancelled');
create type public.soundcloud_schedule_status as enum ('pending', 'scheduled', 'completed', 'failed', 'cancelled');
create type public.soundcloud_connection_status as enum ('linked', 'reconnect', 'disconnected', 'error');
create type public.soundcloud_automation_status as enum
  ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'failed');

-- On a shared Supabase project both tables exist already and belong to it; we rely on the columns named here only.
create table if not exists public.orgs (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  created_at timestamptz not null default now()
);

create table if not exists public.memberships (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  unique (org_id, user_id)
);

create index if not exists idx_memberships_user_id on public.memberships (user_id);

create schema if not exists private;

create or replace function public.update_updated_at_column() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;
