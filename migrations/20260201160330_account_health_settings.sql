-- How patient the daily look at accounts is, and when it speaks, as settings of the org: rules.md wants every constant to
-- be one. Like the other groups it is written through the API only, so nobody else has a grant on the column.

alter table public.soundcloud_settings
  -- days until a profile that is not found is an error, days and least hours of prompts to reconnect, disconnected accounts
  -- above which ops are alerted, days after which Influence Planner's list is read as a whole again
  add column account_health jsonb not null default
    '{"failures_until_error": 3, "prompt_days": [0, 3, 10], "prompt_gap_hours": 72, "disconnected_alert_above": 10, "full_reading_days": 7}';

-- As before (20260101007100), but for the new group.
create or replace function private.api_update_settings(_org_id uuid, _changes jsonb) returns bigint
language plpgsql security definer
set search_path = ''
as $$
declare
  _new public.soundcloud_settings;
  _version bigint;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin')) then
    raise exception using errcode = '42501', message = 'Only an admin of the org changes its settings.';
  end if;
  select (pg_catalog.jsonb_populate_record(s, _changes)).* into _new
  from public.soundcloud_settings s where s.org_id = _org_id
  for update;
  update public.soundcloud_settings s
  set decision_sla_hours = _new.decision_sla_hours,
      proof_sla_hours = _new.proof_sla_hours,
      intake_sla_hours = _new.intake_sla_hours,
      complaint_sla_hours = _new.complaint_sla_hours,
      inactivity_days = _new.inactivity_days,
      preview_cache_days = _new.preview_cache_days,
      default_reach_factor = _new.default_reach_factor,
      target_band_mode = _new.target_band_mode,
      size_tier_thresholds = _new.size_tier_thresholds,
      adjacency_matrix = _new.adjacency_matrix,
      slack_enabled = _new.slack_enabled,
      slack_webhook = _new.slack_webhook,
      slack_channel = _new.slack_channel,
      timezone = _new.timezone,
      tier_policy = _new.tier_policy,
      reach_per_credit = _new.reach_per_credit,
      fee_percent = _new.fee_percent,
      four_eyes_threshold = _new.four_eyes_threshold,
      watch_hours = _new.watch_hours,
      on_breach = _new.on_breach,
      auto_schedule = _new.auto_schedule,
      unrepost_after_hours = _new.unrepost_after_hours,
      review = _new.review,
      pacing = _new.pacing,
      queue_hours = _new.queue_hours,
      campaign_defaults = _new.campaign_defaults,
      account_health = _new.account_health
  where s.org_id = _org_id
  returning s.version into _version;
  if _version is null then
    perform private.refuse('not_found', 'The org has no settings yet. Run `spark org create` for it again.');
  end if;
  return _version;
end
$$;

-- For ops who may not read the settings: when a member is asked to reconnect next.
create function private.api_account_health_settings(_org_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
declare
  _settings jsonb;
begin
  perform private.require_own_org(_org_id);
  if not _org_id in (select private.org_ids_with_role('admin', 'moderator')) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org sees how accounts stand.';
  end if;
  select s.account_health into strict _settings
  from public.soundcloud_settings s where s.org_id = _org_id;
  return _settings;
end;
$$;
revoke execute on function private.api_account_health_settings(uuid) from public;
grant execute on function private.api_account_health_settings(uuid) to spark_api;
