-- What happens with a row that people write: guards of submissions, and the events that start its lifecycle. The event
-- is in the row's own transaction, so that a row never exists without its workflow. Triggers write only `*.created`,
-- settings.changed and the supporter's direct proof; every other event is written by the activity that changes state.

create function private.write_event(
  _org_id uuid,
  _type text,
  _entity_type text,
  _entity_id uuid,
  _data jsonb,
  _dedupe_key text
) returns void
language sql
set search_path = ''
as $$
  insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
  values (_org_id, _type, _entity_type, _entity_id, _data, private.business_now(), _dedupe_key)
  on conflict (org_id, dedupe_key) do nothing
$$;

-- A submission by a person or an API key starts as `new`, now, untouched by any decision; it needs a credit to spend
-- and a free slot of the calendar month in the org's timezone, and must not repeat a track. The member's rows are
-- locked (wallet, then member) so that submissions at the same moment cannot share the last slot.
-- Imported history (imported_at, worker and owner only) is taken as it is.
create function private.guard_submission() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _role text := private.acting_role();
  _by_client boolean := _role in ('authenticated', 'anon', 'spark_integrator');
  _blank public.soundcloud_submissions;
  _member public.soundcloud_members;
  _settings record;
  _balance integer;
  _used integer;
  _older uuid;
begin
  if new.imported_at is not null and not _by_client then
    return new;
  end if;
  -- The policies say the same, but after this trigger, which would have told about another's quota by then.
  if not coalesce(
    case _role
      when 'authenticated' then private.is_ops(new.org_id) or new.member_id in (select private.own_member_ids())
      when 'spark_integrator' then new.org_id in (select private.integrator_org_ids('submissions', 'write'))
      when 'spark_worker' then new.org_id = private.current_org()
      else not _by_client
    end, false
  ) then
    raise exception using errcode = '42501',
      message = 'new row violates row-level security policy for table "soundcloud_submissions"';
  end if;
  -- A client that talks to the database itself sends what the API would have made of it: without the canonical form
  -- no duplicate is found.
  if _by_client and new.track_url !~ '^https://(soundcloud\.com/[a-z0-9_-]{1,255}/(sets/)?[a-z0-9_-]{1,255}(/s-[A-Za-z0-9]{4,40})?|on\.soundcloud\.com/[A-Za-z0-9_-]{2,64})$' then
    perform private.refuse('track_url_malformed',
      'Send the canonical address: https://soundcloud.com/<artist>/<track>, in lower case, without query.');
  end if;
  if _by_client and greatest(length(new.artist_name), length(new.track_name), length(new.service_type)) > 300 then
    perform private.refuse('rule_violated', 'Names have at most 300 characters.');
  end if;
  if _by_client then
    _blank.id := new.id;
    _blank.org_id := new.org_id;
    _blank.member_id := new.member_id;
    _blank.client_id := new.client_id;
    _blank.service_type := new.service_type;
    _blank.track_url := new.track_url;
    _blank.track_name := new.track_name;
    _blank.track_urn := new.track_urn;
    _blank.live_link_url := new.live_link_url;
    _blank.artist_name := new.artist_name;
    _blank.family := new.family;
    _blank.subgenres := coalesce(new.subgenres, '{}');
    _blank.notes := new.notes;
    _blank.status := 'new';
    _blank.submitted_at := private.business_now();
    _blank.auto_shifted := false;
    _blank.shift_count := 0;
    _blank.expected_reach_min := 0;
    _blank.expected_reach_max := 0;
    _blank.expected_reach_planned := 0;
    _blank.suggested_supporters := '{}';
    _blank.credits_consumed := 0;
    _blank.need_live_link := false;
    _blank.qa_flag := false;
    _blank.ip_schedule_ids := '{}';
    _blank.resend_message_ids := '{}';
    _blank.created_at := now();
    _blank.updated_at := now();
    new := _blank;
  end if;

  select s.timezone, (s.review ->> 'duplicate_days')::integer as duplicate_days into _settings
  from public.soundcloud_settings s
  where s.org_id = new.org_id;
  select w.balance into _balance
  from public.soundcloud_repost_credit_wallet w
  where w.org_id = new.org_id and w.member_id = new.member_id
  for update;
  select * into _member
  from public.soundcloud_members m
  where m.org_id = new.org_id and m.id = new.member_id
  for update;
  if _member.id is null then
    perform private.refuse('not_found', 'This org has no such member. Name one of its members.');
  end if;

  select s.id into _older
  from public.soundcloud_submissions s
  where s.org_id = new.org_id
    and s.member_id = new.member_id
    and s.track_url = new.track_url
    and s.submitted_at > new.submitted_at - pg_catalog.make_interval(days => coalesce(_settings.duplicate_days, 30))
    and s.status <> 'rejected'
    and s.withdrawn_at is null
  order by s.submitted_at desc
  limit 1;
  if _older is not null then
    perform private.refuse('duplicate_track',
      pg_catalog.format('The same track was submitted as %s within the last %s days. Follow that submission instead.',
        _older, coalesce(_settings.duplicate_days, 30)),
      _older::text);
  end if;
  if coalesce(_balance, 0) < 1 then
    perform private.refuse('no_credits',
      'A submission needs at least 1 credit. Wait for the monthly grant or earn credits with reposts.');
  end if;

  new.slot_month := pg_catalog.date_trunc('month', new.submitted_at at time zone _settings.timezone)::date;
  new.slot_returned_at := null;
  select count(*) into _used
  from public.soundcloud_submissions s
  where s.org_id = new.org_id and s.member_id = new.member_id
    and s.slot_month = new.slot_month and s.slot_returned_at is null;
  if _used >= _member.monthly_submission_limit then
    perform private.refuse('monthly_limit_reached',
      pg_catalog.format('All %s submissions of %s are used. The next month brings new ones.',
        _member.monthly_submission_limit, pg_catalog.to_char(new.slot_month, 'YYYY-MM')));
  end if;
  return new;
end;
$$;
create trigger guard_submission before insert on public.soundcloud_submissions
  for each row execute function private.guard_submission();

create function private.submission_created() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.write_event(new.org_id, 'submission.created', 'submission', new.id,
    pg_catalog.jsonb_build_object(
      'id', new.id, 'member_id', new.member_id, 'track_url', new.track_url, 'track_name', new.track_name,
      'artist_name', new.artist_name, 'status', new.status, 'submitted_at', new.submitted_at),
    'submission.created:' || new.id);
  update public.soundcloud_members m
  set submissions_this_month = private.slots_used(new.org_id, new.member_id, new.slot_month),
      last_submission_at = new.submitted_at,
      last_activity_at = greatest(m.last_activity_at, new.submitted_at)
  where m.org_id = new.org_id and m.id = new.member_id;
  return null;
end;
$$;

create function private.slots_used(_org_id uuid, _member_id uuid, _month date) returns integer
language sql stable
set search_path = ''
as $$
  select count(*)::integer from public.soundcloud_submissions s
  where s.org_id = _org_id and s.member_id = _member_id and s.slot_month = _month and s.slot_returned_at is null
$$;
create trigger submission_created after insert on public.soundcloud_submissions
  for each row when (new.imported_at is null) execute function private.submission_created();

-- submissions_this_month mirrors the month of the member's newest submission; nothing is ever reset.
create function private.submission_slot_returned() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.lock_wallets(new.org_id, array[new.member_id]);
  update public.soundcloud_members m
  set submissions_this_month = private.slots_used(new.org_id, new.member_id, new.slot_month)
  where m.org_id = new.org_id and m.id = new.member_id
    and new.slot_month = (
      select max(s.slot_month) from public.soundcloud_submissions s
      where s.org_id = new.org_id and s.member_id = new.member_id
    );
  return null;
end;
$$;
create trigger submission_slot_returned after update of slot_returned_at on public.soundcloud_submissions
  for each row when (new.slot_month is not null and new.slot_returned_at is distinct from old.slot_returned_at)
  execute function private.submission_slot_returned();

create function private.campaign_created() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.write_event(new.org_id, 'campaign.created', 'campaign', new.id,
    pg_catalog.jsonb_build_object(
      'id', new.id, 'client_id', new.client_id, 'artist_name', new.artist_name, 'track_name', new.track_name,
      'track_url', new.track_url, 'goal_reposts', new.goal_reposts, 'status', new.status,
      'start_date', new.start_date, 'end_date', new.end_date),
    'campaign.created:' || new.id);
  return null;
end;
$$;
create trigger campaign_created after insert on public.soundcloud_campaigns
  for each row when (new.closed_at is null) execute function private.campaign_created();

create function private.inquiry_created() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.write_event(new.org_id, 'inquiry.created', 'inquiry', new.id,
    pg_catalog.jsonb_build_object(
      'id', new.id, 'soundcloud_url', new.soundcloud_url, 'status', new.status, 'created_at', new.created_at),
    'inquiry.created:' || new.id);
  return null;
end;
$$;
create trigger inquiry_created after insert on public.soundcloud_inquiries
  for each row when (new.closed_at is null) execute function private.inquiry_created();

create function private.complaint_created() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.write_event(new.org_id, 'complaint.created', 'complaint', new.id,
    pg_catalog.jsonb_build_object(
      'id', new.id, 'song_url', new.song_url, 'status', new.status, 'created_at', new.created_at),
    'complaint.created:' || new.id);
  return null;
end;
$$;
create trigger complaint_created after insert on public.soundcloud_complaints
  for each row when (new.closed_at is null) execute function private.complaint_created();

-- A supporter who writes proof_url directly (Supabase) hands in a proof: the assignment's workflow decides about it.
create function private.proof_written() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
  if private.acting_role() = 'authenticated' then
    if new.status <> 'assigned' or new.settled_at is not null then
      perform private.refuse('assignment_closed',
        pg_catalog.format('This assignment is %s; a proof can be handed in only while it is assigned.', new.status));
    end if;
    new.proof_submitted_at := private.business_now();
    perform private.write_event(new.org_id, 'assignment.proof_written', 'assignment', new.id,
      pg_catalog.jsonb_build_object('id', new.id, 'proof_url', new.proof_url, 'by', auth.uid()), null);
  end if;
  return new;
end;
$$;
create trigger proof_written before update of proof_url on public.soundcloud_queue_assignments
  for each row when (new.proof_url is not null and new.proof_url is distinct from old.proof_url)
  execute function private.proof_written();

-- Each change of settings has its version and tells the schedules. The API audits its own changes; those made past it
-- are audited here. The Slack address is a secret and is not repeated.
create function private.version_settings() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- A name that only others know would stop every submission of the org. In `UTC+3` our sign and theirs are opposite.
  if new.timezone is distinct from old.timezone then
    begin
      perform pg_catalog.now() at time zone new.timezone;
      if new.timezone ~ '^[^/]*[+:-]' or new.timezone !~ '^[A-Za-z]' then
        raise invalid_parameter_value;
      end if;
    exception when invalid_parameter_value then
      perform private.refuse('invalid_settings',
        'The database knows no such time zone. Use an IANA name such as Europe/Berlin or UTC.');
    end;
  end if;
  new.version := old.version + 1;
  return new;
end;
$$;
-- By its name it runs before the trigger of updated_at: a change of that alone is none.
create trigger settings_version before update on public.soundcloud_settings
  for each row when (old.* is distinct from new.*) execute function private.version_settings();

create function private.settings_changed() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _before jsonb := pg_catalog.to_jsonb(old);
  _after jsonb := pg_catalog.to_jsonb(new);
  _changed text[];
begin
  select array_agg(k.key order by k.key) into _changed
  from pg_catalog.jsonb_object_keys(_after) as k (key)
  where k.key not in ('version', 'updated_at') and _after -> k.key is distinct from _before -> k.key;
  if _changed is null then
    return null;
  end if;
  perform private.write_event(new.org_id, 'settings.changed', 'settings', new.id,
    pg_catalog.jsonb_build_object('changed', _changed, 'version', new.version),
    pg_catalog.format('settings.changed:%s:%s', new.id, new.version));
  if session_user <> 'spark_api' then
    insert into public.soundcloud_audit_log (
      org_id, actor_type, actor_id, action, entity_type, entity_id, before, after, details, occurred_at
    )
    select new.org_id, case when auth.uid() is null then 'system' else 'user' end, auth.uid(), 'settings.update',
           'settings', new.id,
           pg_catalog.jsonb_object_agg(c.key, case c.key when 'slack_webhook' then '"***"' else _before -> c.key end),
           pg_catalog.jsonb_object_agg(c.key, case c.key when 'slack_webhook' then '"***"' else _after -> c.key end),
           pg_catalog.jsonb_build_object('version', new.version), private.business_now()
    from unnest(_changed) as c (key);
  end if;
  return null;
end;
$$;
create trigger settings_changed after update on public.soundcloud_settings
  for each row when (old.version is distinct from new.version) execute function private.settings_changed();

-- A proposal, schedule or snapshot belongs to a campaign or submission of its own org. One column for two tables can
-- have no foreign key.
create function private.check_parent() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  _exists boolean;
begin
  if new.parent_type = 'campaign' then
    select exists (select from public.soundcloud_campaigns p where p.org_id = new.org_id and p.id = new.parent_id)
    into _exists;
  else
    select exists (select from public.soundcloud_submissions p where p.org_id = new.org_id and p.id = new.parent_id)
    into _exists;
  end if;
  if not _exists then
    raise exception using errcode = '23503',
      message = pg_catalog.format('%s names no %s of its org', tg_table_name, new.parent_type),
      detail = pg_catalog.format('There is no %s %s in org %s.', new.parent_type, new.parent_id, new.org_id);
  end if;
  return new;
end;
$$;
create trigger check_parent before insert or update of org_id, parent_type, parent_id
  on public.soundcloud_target_proposals for each row execute function private.check_parent();
create trigger check_parent before insert or update of org_id, parent_type, parent_id
  on public.soundcloud_schedules for each row execute function private.check_parent();
create trigger check_parent before insert or update of org_id, parent_type, parent_id
  on public.soundcloud_attribution_snapshots for each row execute function private.check_parent();

revoke execute on function
  private.write_event(uuid, text, text, uuid, jsonb, text),
  private.guard_submission(),
  private.submission_created(),
  private.slots_used(uuid, uuid, date),
  private.submission_slot_returned(),
  private.campaign_created(),
  private.inquiry_created(),
  private.complaint_created(),
  private.proof_written(),
  private.version_settings(),
  private.settings_changed(),
  private.check_parent()
from public;
