-- The mail to a member whose track found no support. The templates there were stay as they are, under another name.

-- Called by the maker of orgs alone, which finds the new one under the old name.
-- squawk-ignore renaming-object
alter function private.add_default_email_templates(uuid) rename to add_email_templates_of_decisions;

create function private.add_default_email_templates(_org_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.add_email_templates_of_decisions(_org_id);
  insert into public.soundcloud_email_templates (org_id, name, variables, subject, body_html, body_text)
  values (
    _org_id,
    'submission_unsupported',
    '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "reason": "why nobody reposted it, in whole sentences"}',
    $mail$No repost of {{track_title}}$mail$,
    $mail$<p>Hi {{member_name}},</p>
<p>We are sorry: nobody has reposted {{track_title}}, and we have closed this submission.</p>
<p>{{reason}}</p>
<p>No credits were spent, and your submission slot of that month is free again.</p>
<p><a href="{{track_url}}">Your track</a></p>
<p>Your Artist Spark team</p>$mail$,
    $mail$Hi {{member_name}},

We are sorry: nobody has reposted {{track_title}}, and we have closed this submission.

{{reason}}

No credits were spent, and your submission slot of that month is free again.

Your track: {{track_url}}

Your Artist Spark team$mail$
  )
  on conflict (org_id, name) do nothing;
end;
$$;
revoke execute on function private.add_default_email_templates(uuid) from public;

select private.add_default_email_templates(id) from public.orgs;
