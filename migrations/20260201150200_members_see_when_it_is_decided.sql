-- Members read what their own submission waits for also while ops decide, and until when: their mail promised a time.
drop policy authenticated_select on public.soundcloud_waits;
create policy authenticated_select on public.soundcloud_waits for select to authenticated
  using (
    org_id = any (array(select private.org_ids()))
    and (org_id = any (array(select private.org_ids_with_role('admin', 'moderator')))
         or entity_type = 'submission' and waiting_on in ('member', 'ops') and exists (
           select from public.soundcloud_submissions submission
           where submission.org_id = soundcloud_waits.org_id
             and submission.id = soundcloud_waits.entity_id
             and submission.member_id = any (array(select private.own_member_ids()))
         ))
  );
