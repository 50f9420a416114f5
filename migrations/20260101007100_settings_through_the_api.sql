-- Settings whose parts must fit together, and the Slack address, are written through the API only: it knows their rules
-- (domain/settings-validation.ts), and a column grant let an admin's own client write past them what no workflow can
-- work with. What a column's own check covers stays writable. The version is the trigger's.
revoke update (
  tier_policy, size_tier_thresholds, adjacency_matrix, review, pacing, queue_hours, campaign_defaults, slack_webhook,
  version
)
  on public.soundcloud_settings from authenticated, service_role;

-- Writes settings the API has checked, for the admin in the claims, and returns the new version. `_changes` holds
-- columns by name; those it does not name stay, and those that are no setting are ignored. The caller holds the row's
-- lock since it compared the version.
create function private.api_update_settings(_org_id uuid, _changes jsonb) returns bigint
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
      campaign_defaults = _new.campaign_defaults
  where s.org_id = _org_id
  returning s.version into _version;
  if _version is null then
    perform private.refuse('not_found', 'The org has no settings yet. Run `spark org create` for it again.');
  end if;
  return _version;
end
$$;
revoke execute on function private.api_update_settings(uuid, jsonb) from public;
grant execute on function private.api_update_settings(uuid, jsonb) to spark_api;
