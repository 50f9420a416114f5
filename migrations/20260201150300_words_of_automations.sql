-- The mail of a promotion counts credits without a noun beside the number too: the first tiers are granted one a month.
-- An org's own words stay, as in the migration before.

create function private.reword_automation_templates(_org_id uuid, _but text[]) returns void
language sql
set search_path = ''
as $$
  update public.soundcloud_automation_templates t
  set body_html = replace(
      replace(t.body_html, 'Monthly grant: {{monthly_grant}} credits', 'Credits granted each month: {{monthly_grant}}'),
      'Your wallet now holds up to {{cap}} credits', 'Most credits your wallet now holds: {{cap}}'
    ),
    body_text = replace(
      replace(t.body_text, 'Monthly grant: {{monthly_grant}} credits', 'Credits granted each month: {{monthly_grant}}'),
      'Your wallet now holds up to {{cap}} credits', 'Most credits your wallet now holds: {{cap}}'
    )
  where t.org_id = _org_id and t.template_key <> all (_but)
    and t.body_html || coalesce(t.body_text, '') like any (array[
      '%Monthly grant: {{monthly\_grant}} credits%',
      '%Your wallet now holds up to {{cap}} credits%'
    ])
$$;
revoke execute on function private.reword_automation_templates(uuid, text[]) from public;

-- Called by the maker of orgs alone, which finds the new one under the old name.
-- squawk-ignore renaming-object
alter function private.add_default_automations(uuid) rename to add_automations_as_first_worded;

create function private.add_default_automations(_org_id uuid) returns void
language plpgsql
set search_path = ''
as $$
declare
  _there text[] := array(select template_key from public.soundcloud_automation_templates where org_id = _org_id);
begin
  perform private.add_automations_as_first_worded(_org_id);
  perform private.reword_automation_templates(_org_id, _there);
end;
$$;
revoke execute on function private.add_default_automations(uuid) from public;

select private.reword_automation_templates(id, '{}') from public.orgs;
