-- Acceptance of a campaign's proposal by a person of ops. The rule with its words is domain/proposals.ts; here it holds for
-- two at the same moment, and at the instant it expires. @returns false when it cannot be accepted (any more)
create function private.api_accept_proposal(_org_id uuid, _id uuid, _at timestamptz) returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_ops(_org_id);
  update public.soundcloud_target_proposals p
  set accepted_at = _at, accepted_by = auth.uid()
  where p.org_id = _org_id and p.id = _id and p.parent_type = 'campaign'
    and p.accepted_at is null and p.expires_at > _at;
  return found;
end
$$;
revoke execute on function private.api_accept_proposal(uuid, uuid, timestamptz) from public;
grant execute on function private.api_accept_proposal(uuid, uuid, timestamptz) to spark_api;
