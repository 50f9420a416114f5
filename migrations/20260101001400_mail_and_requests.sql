-- People's requests, mail, notifications and automations.

create table public.soundcloud_inquiries (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  email text not null,
  soundcloud_url text,
  status public.soundcloud_inquiry_status not null default 'undecided',
  admitted_group text,
  admitted_at timestamptz,
  member_id uuid,
  ip_join_confirmed boolean not null default false,
  notes text,
  owner_id uuid references auth.users (id) on delete set null,
  resend_message_ids text[] not null default '{}',
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id),
  foreign key (org_id, member_id) references public.soundcloud_members (org_id, id) on delete set null (member_id)
);
create index idx_soundcloud_inquiries_status on public.soundcloud_inquiries (status);
create unique index uq_soundcloud_inquiries_one_undecided on public.soundcloud_inquiries (org_id, lower(email))
  where status = 'undecided';
create index idx_soundcloud_inquiries_member_id on public.soundcloud_inquiries (org_id, member_id);
create index idx_soundcloud_inquiries_created_at on public.soundcloud_inquiries (org_id, created_at desc, id);
create index idx_soundcloud_inquiries_open on public.soundcloud_inquiries (org_id, created_at) where closed_at is null;
create index idx_soundcloud_inquiries_owner_id on public.soundcloud_inquiries (owner_id) where owner_id is not null;

create table public.soundcloud_complaints (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  email text not null,
  song_url text,
  notes text,
  status public.soundcloud_complaint_status not null default 'todo',
  owner_id uuid references auth.users (id) on delete set null,
  ack_sent_at timestamptz,
  resend_message_ids text[] not null default '{}',
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, id)
);
create index idx_soundcloud_complaints_status on public.soundcloud_complaints (status);
create index idx_soundcloud_complaints_created_at on public.soundcloud_complaints (org_id, created_at desc, id);
create index idx_soundcloud_complaints_open on public.soundcloud_complaints (org_id, created_at) where closed_at is null;
create index idx_soundcloud_complaints_owner_id on public.soundcloud_complaints (owner_id) where owner_id is not null;

create table public.soundcloud_mail_events (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  message_id text not null,
  object_type text not null check (object_type in
    ('submission', 'inquiry', 'complaint', 'member', 'campaign', 'assignment', 'notification')),
  object_id uuid not null,
  event_type text not null,
  timestamp timestamptz not null default now(),
  meta jsonb not null default '{}'
);
create index idx_soundcloud_mail_events_message_id on public.soundcloud_mail_events (message_id);
create index idx_soundcloud_mail_events_object on public.soundcloud_mail_events (object_type, object_id);
create index idx_soundcloud_mail_events_timestamp on public.soundcloud_mail_events (org_id, timestamp desc, id);

create table public.soundcloud_email_templates (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  name text not null,
  subject text not null,
  body_html text not null,
  body_text text,
  variables jsonb not null default '{}',
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, name)
);
create index idx_soundcloud_email_templates_name on public.soundcloud_email_templates (name);

create table public.soundcloud_email_logs (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  template_name text not null,
  recipient_email text not null,
  subject text,
  status text not null default 'pending'
    check (status in ('pending', 'sent', 'failed', 'bounced', 'delivered', 'opened')),
  error_message text,
  resend_message_id text,
  related_object_type text,
  related_object_id uuid,
  user_id uuid references auth.users (id) on delete set null,
  template_data jsonb not null default '{}',
  metadata jsonb not null default '{}',
  -- workflow id + step: one mail, however often the step runs
  idempotency_key text,
  sent_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, idempotency_key)
);
create index idx_soundcloud_email_logs_status on public.soundcloud_email_logs (status);
create index idx_soundcloud_email_logs_template on public.soundcloud_email_logs (template_name);
create index idx_soundcloud_email_logs_recipient on public.soundcloud_email_logs (recipient_email);
create index idx_soundcloud_email_logs_created_at on public.soundcloud_email_logs (created_at desc);
create index idx_soundcloud_email_logs_related_object
  on public.soundcloud_email_logs (related_object_type, related_object_id);
create index idx_soundcloud_email_logs_message_id on public.soundcloud_email_logs (resend_message_id)
  where resend_message_id is not null;
create index idx_soundcloud_email_logs_user_id on public.soundcloud_email_logs (user_id) where user_id is not null;

create table public.soundcloud_email_suppressions (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  email text not null check (email = lower(email)),
  reason text not null check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual')),
  -- `digest`: only mail with a List-Unsubscribe header
  scope text not null default 'all' check (scope in ('all', 'digest')),
  message_id text,
  details jsonb not null default '{}',
  created_by uuid references auth.users (id) on delete set null,
  lifted_at timestamptz,
  lifted_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index uq_soundcloud_email_suppressions_standing
  on public.soundcloud_email_suppressions (org_id, email, scope) where lifted_at is null;
create index idx_soundcloud_email_suppressions_created_at
  on public.soundcloud_email_suppressions (org_id, created_at desc, id);
create index idx_soundcloud_email_suppressions_created_by on public.soundcloud_email_suppressions (created_by)
  where created_by is not null;
create index idx_soundcloud_email_suppressions_lifted_by on public.soundcloud_email_suppressions (lifted_by)
  where lifted_by is not null;

create table public.soundcloud_notifications (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  user_id uuid not null references auth.users (id) on delete cascade,
  title text not null,
  message text not null,
  type public.soundcloud_notification_type not null default 'info',
  read boolean not null default false,
  action_url text,
  metadata jsonb not null default '{}',
  -- workflow id + step + recipient: one notification, however often the step runs
  dedupe_key text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, dedupe_key)
);
create index idx_soundcloud_notifications_user_id_created_at
  on public.soundcloud_notifications (user_id, created_at desc);
create index idx_soundcloud_notifications_read on public.soundcloud_notifications (read);

create table public.soundcloud_automation_templates (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  template_key text not null,
  name text not null,
  subject text not null,
  body_html text not null,
  body_text text,
  variables jsonb not null default '{}',
  enabled boolean not null default true,
  trigger_events text[] not null default '{}',
  created_by uuid references auth.users (id) on delete set null,
  updated_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, template_key)
);
create index idx_soundcloud_automation_templates_created_by on public.soundcloud_automation_templates (created_by)
  where created_by is not null;
create index idx_soundcloud_automation_templates_updated_by on public.soundcloud_automation_templates (updated_by)
  where updated_by is not null;

create table public.soundcloud_automation_logs (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  template_key text not null,
  recipient_email text not null,
  recipient_member_id uuid,
  parent_type text,
  parent_id uuid,
  status public.soundcloud_automation_status not null default 'sent',
  provider_message_id text,
  subject text,
  variables_used jsonb not null default '{}',
  -- event id + template: one mail for one event
  idempotency_key text,
  sent_at timestamptz not null default now(),
  delivered_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  bounced_at timestamptz,
  error_message text,
  retry_count integer not null default 0,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  unique (org_id, idempotency_key),
  foreign key (org_id, recipient_member_id) references public.soundcloud_members (org_id, id)
    on delete set null (recipient_member_id)
);
create index idx_soundcloud_automation_logs_status on public.soundcloud_automation_logs (status);
create index idx_soundcloud_automation_logs_recipient_member_id
  on public.soundcloud_automation_logs (org_id, recipient_member_id);
create index idx_soundcloud_automation_logs_parent on public.soundcloud_automation_logs (org_id, parent_type, parent_id);
create index idx_soundcloud_automation_logs_created_at
  on public.soundcloud_automation_logs (org_id, created_at desc, id);
create index idx_soundcloud_automation_logs_message_id on public.soundcloud_automation_logs (provider_message_id)
  where provider_message_id is not null;

create table public.soundcloud_automation_health (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.orgs (id),
  automation_name text not null,
  status text not null default 'healthy' check (status in ('healthy', 'warning', 'error', 'disabled')),
  last_run_at timestamptz,
  last_success_at timestamptz,
  last_error_at timestamptz,
  last_error_message text,
  success_count integer not null default 0,
  error_count integer not null default 0,
  consecutive_errors integer not null default 0,
  total_runs integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (org_id, automation_name)
);
create index idx_soundcloud_automation_health_status on public.soundcloud_automation_health (status);
