-- What every org starts with. Each row is added only where the org has none of that name, so running it again repairs
-- what is missing and never overwrites what an org has made its own.

create function private.add_default_genres(_org_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.soundcloud_genre_families (org_id, name)
  select _org_id, name
  from unnest(array['Electronic', 'Hip-Hop', 'Rock', 'Pop', 'R&B']) as name
  on conflict (org_id, name) do nothing;

  insert into public.soundcloud_subgenres (org_id, family_id, name, patterns, order_index)
  select _org_id, f.id, d.name, d.patterns, d.order_index
  from (values
    ('Electronic', 'Dubstep', array['dubstep', 'melodic dubstep', 'brostep', 'riddim', 'riddim dubstep', 'tearout', 'deep dubstep'], 10),
    ('Electronic', 'Future Bass', array['future bass', 'kawaii future bass', 'kawaii bass', 'melodic bass', 'future beats', 'chill future bass'], 20),
    ('Electronic', 'Trance', array['trance', 'psytrance', 'psy trance', 'goa trance', 'progressive trance', 'uplifting trance', 'vocal trance', 'tech trance'], 30),
    ('Electronic', 'House', array['house', 'deep house', 'tech house', 'progressive house', 'afro house', 'bass house', 'future house', 'melodic house', 'slap house', 'electro house', 'house music'], 40),
    ('Electronic', 'Techno', array['techno', 'melodic techno', 'hard techno', 'acid techno', 'minimal techno', 'industrial techno', 'peak time techno', 'detroit techno', 'techno music'], 50),
    ('Hip-Hop', 'Trap', array['trap', 'trap rap', 'hip hop trap', 'trap music', 'hard trap', 'latin trap', 'trap metal', 'plugg'], 10),
    ('Hip-Hop', 'Boom Bap', array['boom bap', 'boombap', '90s hip hop', 'old school hip hop', 'golden age hip hop', 'jazz rap'], 20),
    ('Hip-Hop', 'Cloud Rap', array['cloud rap', 'cloudrap', 'cloud trap', 'ethereal rap'], 30),
    ('Hip-Hop', 'Drill', array['drill', 'uk drill', 'ny drill', 'nyc drill', 'brooklyn drill', 'chicago drill', 'jersey drill', 'drill rap', 'drill music'], 40),
    ('Rock', 'Alternative Rock', array['alternative rock', 'alt rock', 'altrock', 'alternative', 'grunge'], 10),
    ('Rock', 'Post Rock', array['post rock', 'postrock', 'instrumental rock'], 20),
    ('Rock', 'Progressive Rock', array['progressive rock', 'prog rock', 'progrock', 'prog', 'art rock'], 30),
    ('Rock', 'Indie Rock', array['indie rock', 'indierock', 'garage rock', 'indie guitar'], 40)
  ) as d (family, name, patterns, order_index)
  join public.soundcloud_genre_families f on f.org_id = _org_id and f.name = d.family
  on conflict (org_id, family_id, name) do nothing;
end;
$$;

-- Sent by lifecycles, logged in email_logs.
create function private.add_default_email_templates(_org_id uuid) returns void
language sql
set search_path = ''
as $$
  insert into public.soundcloud_email_templates (org_id, name, variables, subject, body_html, body_text)
  select _org_id, d.name, d.variables::jsonb, d.subject, d.body_html, d.body_text
  from (values
    ('submission_confirmation',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "decision_due": "until when the decision is made"}',
     $mail$We have your track: {{track_title}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>Thank you for submitting {{track_title}}. It is in our review now.</p>
<p>You will have our decision by {{decision_due}}. If we need anything from you before that, we will write to you.</p>
<p><a href="{{track_url}}">Listen to what you sent us</a></p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

Thank you for submitting {{track_title}}. It is in our review now.

You will have our decision by {{decision_due}}. If we need anything from you before that, we will write to you.

Listen to what you sent us: {{track_url}}

Your Artist Spark team$mail$),
    ('submission_approved',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "expected_reach_min": "smallest expected reach", "expected_reach_max": "largest expected reach", "support_date": "first queue the track can be in"}',
     $mail$Approved: {{track_title}} will be reposted$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>Good news: {{track_title}} is approved.</p>
<p>{{#expected_reach_max}}We plan reposts that reach about {{expected_reach_min}} to {{expected_reach_max}} listeners, starting with the queue of {{support_date}}.{{/expected_reach_max}}{{^expected_reach_max}}No supporter fits the track yet; we look again every day, for the queue of {{support_date}} first.{{/expected_reach_max}} Credits are reserved only when that queue is published, and spent only for reposts that stay up.</p>
<p><a href="{{track_url}}">Your track</a></p>
<p>Keep it public until the reposts are done. We will write again when supporters have reposted it.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

Good news: {{track_title}} is approved.

{{#expected_reach_max}}We plan reposts that reach about {{expected_reach_min}} to {{expected_reach_max}} listeners, starting with the queue of {{support_date}}.{{/expected_reach_max}}{{^expected_reach_max}}No supporter fits the track yet; we look again every day, for the queue of {{support_date}} first.{{/expected_reach_max}} Credits are reserved only when that queue is published, and spent only for reposts that stay up.

Your track: {{track_url}}

Keep it public until the reposts are done. We will write again when supporters have reposted it.

Your Artist Spark team$mail$),
    ('submission_rejected',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "reason": "why the track was not accepted, in whole sentences"}',
     $mail$About your submission {{track_title}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>Thank you for sending us {{track_title}}. We have decided not to take it into the queue:</p>
<p>{{reason}}</p>
<p>No credits were spent. A different track is welcome any time your monthly submissions allow it.</p>
<p><a href="{{track_url}}">The track this is about</a></p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

Thank you for sending us {{track_title}}. We have decided not to take it into the queue:

{{reason}}

No credits were spent. A different track is welcome any time your monthly submissions allow it.

The track this is about: {{track_url}}

Your Artist Spark team$mail$),
    ('request_live_link',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "closes_at": "when the submission is closed without a link"}',
     $mail$We need a live link for {{track_title}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>We would like to go on with {{track_title}}, but supporters can only repost a track that is public, and we cannot reach it at the address you sent.</p>
<p><a href="{{track_url}}">The address you sent</a></p>
<p>Please add the public link to your submission by {{closes_at}}; without it we have to close the submission. The time for our decision stands still until then.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

We would like to go on with {{track_title}}, but supporters can only repost a track that is public, and we cannot reach it at the address you sent.

The address you sent: {{track_url}}

Please add the public link to your submission by {{closes_at}}; without it we have to close the submission. The time for our decision stands still until then.

Your Artist Spark team$mail$),
    ('assignment_published',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "artist_name": "who made the track", "queue_date": "date of the queue", "slot_at": "when to repost", "deadline": "until when the proof is needed", "credits": "credits earned by the repost", "assignment_url": "page of the assignment"}',
     $mail$Your repost for {{queue_date}}: {{track_title}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>The queue of {{queue_date}} is out, and you have a repost in it: {{track_title}} by {{artist_name}}.</p>
<ul>
  <li>Repost at: {{slot_at}}</li>
  <li>Proof until: {{deadline}}</li>
  <li>Earns: {{credits}} credits</li>
</ul>
<p><a href="{{track_url}}">Open the track</a></p>
<p><a href="{{assignment_url}}">Hand in your proof, or tell us that you cannot do it</a></p>
<p>The credits are yours once the repost has stayed up through the watch.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

The queue of {{queue_date}} is out, and you have a repost in it: {{track_title}} by {{artist_name}}.

- Repost at: {{slot_at}}
- Proof until: {{deadline}}
- Earns: {{credits}} credits

Open the track: {{track_url}}

Hand in your proof, or tell us that you cannot do it: {{assignment_url}}

The credits are yours once the repost has stayed up through the watch.

Your Artist Spark team$mail$),
    ('proof_reminder',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "deadline": "until when the proof is needed", "credits": "credits earned by the repost", "assignment_url": "page of the assignment"}',
     $mail$Reminder: proof for {{track_title}} is due {{deadline}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>We have not seen your repost of {{track_title}} yet. The proof is due {{deadline}}.</p>
<p><a href="{{track_url}}">Open the track</a></p>
<p><a href="{{assignment_url}}">Hand in your proof</a></p>
<p>If you cannot repost it, skip the assignment on the same page: another supporter can then take over, and {{credits}} credits stay with the artist.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

We have not seen your repost of {{track_title}} yet. The proof is due {{deadline}}.

Open the track: {{track_url}}

Hand in your proof: {{assignment_url}}

If you cannot repost it, skip the assignment on the same page: another supporter can then take over, and {{credits}} credits stay with the artist.

Your Artist Spark team$mail$),
    ('support_confirmation',
     '{"member_name": "the member''s display name", "track_title": "title of the track", "track_url": "address of the track", "reposts": "reposts that stayed up", "reach": "followers reached by them", "credits_consumed": "credits spent", "support_url": "a repost to look at"}',
     $mail${{track_title}} has been reposted$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>Your support for {{track_title}} is complete:</p>
<ul>
  <li>Reposts: {{reposts}}</li>
  <li>Reach: {{reach}} followers</li>
  <li>Credits spent: {{credits_consumed}}</li>
</ul>
<p><a href="{{support_url}}">See a repost</a></p>
<p><a href="{{track_url}}">Your track</a></p>
<p>We keep counting plays for another seven days; you find the numbers at your submission.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

Your support for {{track_title}} is complete:

- Reposts: {{reposts}}
- Reach: {{reach}} followers
- Credits spent: {{credits_consumed}}

See a repost: {{support_url}}

Your track: {{track_url}}

We keep counting plays for another seven days; you find the numbers at your submission.

Your Artist Spark team$mail$),
    ('welcome_admission',
     '{"member_name": "the member''s display name", "group": "the group the member was admitted to", "join_url": "where to join Influence Planner", "sign_in_url": "where to sign in", "balance": "credits to start with"}',
     $mail$Welcome to Artist Spark, {{member_name}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>You are in. You were admitted to {{group}} and start with {{balance}} credits, enough for your first submission.</p>
<p>One step is left: join our network in Influence Planner, so that reposts can be scheduled for your account.</p>
<p><a href="{{join_url}}">Join the network</a></p>
<p><a href="{{sign_in_url}}">Sign in and submit a track</a></p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

You are in. You were admitted to {{group}} and start with {{balance}} credits, enough for your first submission.

One step is left: join our network in Influence Planner, so that reposts can be scheduled for your account.

Join the network: {{join_url}}

Sign in and submit a track: {{sign_in_url}}

Your Artist Spark team$mail$),
    ('inquiry_rejected',
     '{"name": "the applicant''s name", "reason": "why the application was declined, in whole sentences"}',
     $mail$Your application to Artist Spark$mail$,
     $mail$<p>Hi {{name}},</p>
<p>Thank you for your interest in Artist Spark. We cannot offer you a place at the moment:</p>
<p>{{reason}}</p>
<p>You are welcome to apply again when this has changed.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{name}},

Thank you for your interest in Artist Spark. We cannot offer you a place at the moment:

{{reason}}

You are welcome to apply again when this has changed.

Your Artist Spark team$mail$),
    ('complaint_ack',
     '{"reference": "number of the complaint", "respond_by": "until when the complaint is answered"}',
     $mail$We have your message ({{reference}})$mail$,
     $mail$<p>Hello,</p>
<p>Thank you for telling us. Your message has the number {{reference}}, and a person will look into it.</p>
<p>You will hear from us by {{respond_by}}. To add something, just answer this mail.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hello,

Thank you for telling us. Your message has the number {{reference}}, and a person will look into it.

You will hear from us by {{respond_by}}. To add something, just answer this mail.

Your Artist Spark team$mail$),
    ('complaint_resolved',
     '{"reference": "number of the complaint", "resolution": "what was done, in whole sentences", "reopen_until": "until when it can be opened again"}',
     $mail$Your message {{reference}} is settled$mail$,
     $mail$<p>Hello,</p>
<p>We have looked into your message {{reference}}:</p>
<p>{{resolution}}</p>
<p>If that does not settle it, answer this mail before {{reopen_until}} and we will open it again.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hello,

We have looked into your message {{reference}}:

{{resolution}}

If that does not settle it, answer this mail before {{reopen_until}} and we will open it again.

Your Artist Spark team$mail$),
    ('campaign_report',
     '{"client_name": "the client''s name", "artist_name": "who made the track", "track_name": "title of the track", "track_url": "address of the track", "start_date": "first day of the campaign", "end_date": "last day of the campaign", "goal_reposts": "reposts agreed", "delivered_reposts": "reposts delivered", "plays": "plays since the baseline", "incremental_plays": "plays above the trend before the campaign", "likes": "likes since the baseline", "reposts": "all reposts since the baseline", "comments": "comments since the baseline", "gaps": "days without numbers", "report_url": "page of the full report"}',
     $mail$Campaign report: {{track_name}} by {{artist_name}}$mail$,
     $mail$<p>Hi {{client_name}},</p>
<p>The campaign for {{track_name}} by {{artist_name}} ran from {{start_date}} to {{end_date}}. These are its final numbers:</p>
<ul>
  <li>Reposts delivered: {{delivered_reposts}} of {{goal_reposts}}</li>
  <li>Plays since the start: {{plays}}</li>
  <li>of these above the earlier trend: {{incremental_plays}}</li>
  <li>Likes: {{likes}}</li>
  <li>Reposts by anybody: {{reposts}}</li>
  <li>Comments: {{comments}}</li>
  <li>Days without numbers: {{gaps}}</li>
</ul>
<p>All numbers are what SoundCloud showed. Days we could not read are left out, not guessed.</p>
<p><a href="{{report_url}}">The full report, day by day</a></p>
<p><a href="{{track_url}}">The track</a></p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{client_name}},

The campaign for {{track_name}} by {{artist_name}} ran from {{start_date}} to {{end_date}}. These are its final numbers:

- Reposts delivered: {{delivered_reposts}} of {{goal_reposts}}
- Plays since the start: {{plays}}
- of these above the earlier trend: {{incremental_plays}}
- Likes: {{likes}}
- Reposts by anybody: {{reposts}}
- Comments: {{comments}}
- Days without numbers: {{gaps}}

All numbers are what SoundCloud showed. Days we could not read are left out, not guessed.

The full report, day by day: {{report_url}}

The track: {{track_url}}

Your Artist Spark team$mail$)
  ) as d (name, variables, subject, body_html, body_text)
  on conflict (org_id, name) do nothing
$$;

-- Sent by the outbox events they name, logged in automation_logs.
create function private.add_default_automations(_org_id uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.soundcloud_automation_templates
    (org_id, template_key, name, trigger_events, variables, subject, body_html, body_text)
  select _org_id, d.template_key, d.name, d.trigger_events, d.variables::jsonb, d.subject, d.body_html, d.body_text
  from (values
    ('reconnect_prompt', 'Account reconnection', array['member.reconnect_due'],
     '{"member_name": "the member''s display name", "account_handle": "handle of the account", "reconnect_url": "where to reconnect", "days_disconnected": "days since the connection was lost"}',
     $mail$Please reconnect {{account_handle}}$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>The connection to your SoundCloud account {{account_handle}} was lost {{days_disconnected}} days ago. Until it is back, you get no reposts to do and earn no credits.</p>
<p><a href="{{reconnect_url}}">Reconnect the account</a></p>
<p>It takes a minute. If you have reconnected already, there is nothing more to do.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

The connection to your SoundCloud account {{account_handle}} was lost {{days_disconnected}} days ago. Until it is back, you get no reposts to do and earn no credits.

Reconnect the account: {{reconnect_url}}

It takes a minute. If you have reconnected already, there is nothing more to do.

Your Artist Spark team$mail$),
    ('tier_promotion', 'Tier promotion', array['member.promoted'],
     '{"member_name": "the member''s display name", "old_tier": "tier before", "new_tier": "tier now", "followers": "SoundCloud followers", "monthly_grant": "credits granted each month", "cap": "most credits the wallet holds"}',
     $mail$You are {{new_tier}} now$mail$,
     $mail$<p>Hi {{member_name}},</p>
<p>With {{followers}} followers you have moved up from {{old_tier}} to {{new_tier}}. Congratulations!</p>
<ul>
  <li>Monthly grant: {{monthly_grant}} credits</li>
  <li>Your wallet now holds up to {{cap}} credits</li>
  <li>Your reposts earn more, as they reach more people</li>
</ul>
<p>The new grant comes with the next month.</p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{member_name}},

With {{followers}} followers you have moved up from {{old_tier}} to {{new_tier}}. Congratulations!

- Monthly grant: {{monthly_grant}} credits
- Your wallet now holds up to {{cap}} credits
- Your reposts earn more, as they reach more people

The new grant comes with the next month.

Your Artist Spark team$mail$),
    ('campaign_tracking', 'Campaign launch', array['campaign.live'],
     '{"client_name": "the client''s name", "artist_name": "who made the track", "track_name": "title of the track", "start_date": "first day of the campaign", "end_date": "last day of the campaign", "goal_reposts": "reposts agreed", "tracking_url": "page with the numbers"}',
     $mail${{track_name}} is live$mail$,
     $mail$<p>Hi {{client_name}},</p>
<p>The campaign for {{track_name}} by {{artist_name}} has started. The numbers before the first repost are recorded, so everything from now on can be told apart from them.</p>
<ul>
  <li>From {{start_date}} to {{end_date}}</li>
  <li>Goal: {{goal_reposts}} reposts</li>
</ul>
<p><a href="{{tracking_url}}">Follow the numbers day by day</a></p>
<p>Your Artist Spark team</p>$mail$,
     $mail$Hi {{client_name}},

The campaign for {{track_name}} by {{artist_name}} has started. The numbers before the first repost are recorded, so everything from now on can be told apart from them.

- From {{start_date}} to {{end_date}}
- Goal: {{goal_reposts}} reposts

Follow the numbers day by day: {{tracking_url}}

Your Artist Spark team$mail$),
    ('weekly_performance_digest', 'Weekly campaign digest', array['campaign.digest_due'],
     '{"client_name": "the client''s name", "artist_name": "who made the track", "track_name": "title of the track", "week_start": "first day of the week", "week_end": "last day of the week", "plays": "plays since the baseline", "plays_delta": "plays this week", "likes_delta": "likes this week", "reposts_delta": "reposts this week", "comments_delta": "comments this week", "delivered_reposts": "reposts delivered so far", "goal_reposts": "reposts agreed", "tracking_url": "page with the numbers", "unsubscribe_url": "ends this digest"}',
     $mail${{track_name}}: the week to {{week_end}}$mail$,
     $mail$<p>Hi {{client_name}},</p>
<p>{{track_name}} by {{artist_name}} from {{week_start}} to {{week_end}}:</p>
<ul>
  <li>Plays: {{plays_delta}} this week, {{plays}} since the start</li>
  <li>Likes: {{likes_delta}}</li>
  <li>Reposts: {{reposts_delta}}</li>
  <li>Comments: {{comments_delta}}</li>
  <li>Delivered by the network: {{delivered_reposts}} of {{goal_reposts}} reposts</li>
</ul>
<p><a href="{{tracking_url}}">All days</a></p>
<p>Your Artist Spark team</p>
<p><a href="{{unsubscribe_url}}">Send me no weekly digest</a></p>$mail$,
     $mail$Hi {{client_name}},

{{track_name}} by {{artist_name}} from {{week_start}} to {{week_end}}:

- Plays: {{plays_delta}} this week, {{plays}} since the start
- Likes: {{likes_delta}}
- Reposts: {{reposts_delta}}
- Comments: {{comments_delta}}
- Delivered by the network: {{delivered_reposts}} of {{goal_reposts}} reposts

All days: {{tracking_url}}

Your Artist Spark team

Send me no weekly digest: {{unsubscribe_url}}$mail$)
  ) as d (template_key, name, trigger_events, variables, subject, body_html, body_text)
  on conflict (org_id, template_key) do nothing;

  insert into public.soundcloud_automation_health (org_id, automation_name)
  select _org_id, name
  from unnest(array['submission-status-emails', 'inquiry-status-emails', 'notification-emails',
    'queue-assignment-emails']) as name
  on conflict (org_id, automation_name) do nothing;
end;
$$;

-- Makes an org with its defaults and its first admin, or completes the one of that name. Owner only.
-- The admin is found by id or by e-mail. On plain PostgreSQL a missing login is made; on Supabase logins belong to
-- GoTrue, so the person must have been invited there first.
create function private.create_org(_name text, _admin_email text default null, _admin_user_id uuid default null)
returns table (org_id uuid, user_id uuid, created boolean)
language plpgsql
set search_path = ''
as $$
#variable_conflict use_column
declare
  _org_name text := pg_catalog.btrim(_name);
  _email text := pg_catalog.lower(pg_catalog.btrim(_admin_email));
  _org_id uuid;
  _user_id uuid;
  _created boolean := false;
begin
  if coalesce(_org_name, '') = '' then
    raise exception using errcode = '22023', message = 'An org needs a name.';
  end if;
  if (_admin_user_id is null) = (_email is null) then
    raise exception using errcode = '22023', message = 'Name the first admin by e-mail or by user id, one of both.';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('spark:create_org:' || _org_name, 0));

  select u.id into _user_id
  from auth.users u
  where case when _admin_user_id is null then pg_catalog.lower(u.email) = _email else u.id = _admin_user_id end
  order by u.created_at
  limit 1;
  if _user_id is null then
    if _email is null or pg_catalog.to_regclass('auth.identities') is not null then
      perform private.refuse('not_found', 'There is no such login yet. Invite the person in Supabase first.');
    end if;
    if _email !~ '^[^@[:space:]]+@[^@[:space:]]+$' then
      raise exception using errcode = '22023', message = 'The admin''s e-mail address is not one.';
    end if;
    insert into auth.users (email, email_confirmed_at) values (_email, pg_catalog.now()) returning id into _user_id;
  end if;

  select o.id into _org_id from public.orgs o where o.name = _org_name order by o.created_at limit 1;
  if _org_id is null then
    insert into public.orgs (name) values (_org_name) returning id into _org_id;
  end if;
  insert into public.soundcloud_settings (org_id) values (_org_id) on conflict (org_id) do nothing;
  _created := found;
  perform private.add_default_genres(_org_id);
  perform private.add_default_email_templates(_org_id);
  perform private.add_default_automations(_org_id);

  insert into public.memberships (org_id, user_id)
  select _org_id, _user_id
  where not exists (select from public.memberships m where m.org_id = _org_id and m.user_id = _user_id);
  insert into public.soundcloud_user_roles (org_id, user_id, role)
  values (_org_id, _user_id, 'admin')
  on conflict (org_id, user_id, role) do nothing;

  perform private.write_event(_org_id, 'org.created', 'org', _org_id,
    pg_catalog.jsonb_build_object('id', _org_id, 'name', _org_name), 'org.created:' || _org_id);
  return query select _org_id, _user_id, _created;
end;
$$;

revoke execute on function
  private.add_default_genres(uuid),
  private.add_default_email_templates(uuid),
  private.add_default_automations(uuid),
  private.create_org(text, text, uuid)
from public;
