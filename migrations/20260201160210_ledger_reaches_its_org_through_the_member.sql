-- Said twice: an entry's member is a member of that org, neither may be null, and a member's org is an org. Checking it
-- again cost every entry about as much as two of its indexes (docs/decisions/0012).
alter table public.soundcloud_repost_credit_ledger
  -- Nothing that clients assume ends: the member's reference goes on keeping it (docs/decisions/0010).
  -- squawk-ignore ban-drop-constraint
  drop constraint soundcloud_repost_credit_ledger_org_id_fkey;
