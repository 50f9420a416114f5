-- Credits as ops change and read them through the API. Wallet, ledger and requests have no write grant, so the API
-- leaves the caller's role and calls these as its login, in the same transaction; each looks at the claims by itself.

-- What prices and months of the org depend on. Members may not read the settings; the API tells them dates and amounts
-- that follow from these.
create function private.api_credit_settings(_org_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
declare
  _settings jsonb;
begin
  perform private.require_own_org(_org_id);
  select pg_catalog.jsonb_build_object(
    'timezone', s.timezone,
    'four_eyes_threshold', s.four_eyes_threshold,
    'reach_per_credit', s.reach_per_credit,
    'fee_percent', s.fee_percent,
    'default_reach_factor', s.default_reach_factor,
    'tier_policy', s.tier_policy
  ) into _settings
  from public.soundcloud_settings s where s.org_id = _org_id;
  if _settings is null then
    perform private.refuse('not_found', 'The org has no settings yet. Run `spark org create` for it again.');
  end if;
  return _settings;
end
$$;

create function private.require_ops(_org_id uuid) returns void
language plpgsql stable
set search_path = ''
as $$
begin
  perform private.require_own_org(_org_id);
  if auth.uid() is null or not private.is_ops(_org_id) then
    raise exception using errcode = '42501', message = 'Only an admin or a moderator of the org does this.';
  end if;
end
$$;

-- Refuses a change the wallet cannot bear; the hint carries how many credits it could take in, or give.
create function private.refuse_credit_change(
  _code text,
  _amount integer,
  _balance integer,
  _headroom integer
) returns void
language plpgsql
set search_path = ''
as $$
begin
  if _code = 'above_headroom' then
    perform private.refuse(_code, pg_catalog.format(
      'The wallet can take in %s more credits, not %s. Give at most %s, or wait until credits are spent.',
      _headroom, _amount, _headroom), _headroom::text);
  end if;
  perform private.refuse(_code, pg_catalog.format(
    'The wallet can spend %s credits, not %s. Take at most %s.', _balance, - _amount, _balance), _balance::text);
end
$$;

-- Posts a change, tells the member and the outbox, and returns the entry.
create function private.apply_credit_change(
  _change public.soundcloud_credit_change_requests,
  _approved_by uuid,
  _at timestamptz
) returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  _posted record;
begin
  select p.* into strict _posted
  from private.post_credits(
    _change.org_id,
    pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
      'kind', 'manual',
      'member_id', _change.member_id,
      'amount', _change.amount,
      'reason', _change.reason,
      'key', _change.id,
      'reference_id', _change.id,
      'created_by', _change.requested_by,
      'metadata', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('approved_by', _approved_by))
    )),
    _at, true
  ) p;
  if _posted.refused is not null then
    perform private.refuse_credit_change(_posted.refused, _change.amount, w.balance, w.cap - w.balance - w.held)
    from public.soundcloud_repost_credit_wallet w
    where w.org_id = _change.org_id and w.member_id = _change.member_id;
  end if;

  insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
  values (
    _change.org_id, 'credits.changed', 'member', _change.member_id,
    pg_catalog.jsonb_build_object(
      'member_id', _change.member_id, 'amount', _change.amount, 'balance_after', _posted.balance_after,
      'reason', _change.reason, 'entry_id', _posted.entry_id, 'credit_change_id', _change.id,
      'requested_by', _change.requested_by, 'approved_by', _approved_by),
    _at, 'credits.changed:' || _posted.entry_id
  )
  on conflict (org_id, dedupe_key) do nothing;

  insert into public.soundcloud_notifications (org_id, user_id, title, message, type, action_url, metadata, dedupe_key)
  select _change.org_id, reader.id, 'Your credits changed',
         pg_catalog.format('%s: %s. You can spend %s now.',
           private.credits_in_words(_change.amount), _change.reason, _posted.balance_after),
         'info', '/console/members/' || _change.member_id,
         pg_catalog.jsonb_build_object('credit_change_id', _change.id, 'entry_id', _posted.entry_id),
         pg_catalog.format('credit_change.applied:%s:%s', _change.id, reader.id)
  from private.users_of_member(_change.org_id, _change.member_id) as reader (id)
  on conflict (org_id, dedupe_key) do nothing;
  return _posted.entry_id;
end
$$;

-- `+1 credit`, `-3 credits`.
create function private.credits_in_words(_amount integer) returns text
language sql immutable
set search_path = ''
as $$
  select pg_catalog.format('%s%s credit%s',
    case when _amount > 0 then '+' else '' end, _amount, case when pg_catalog.abs(_amount) = 1 then '' else 's' end)
$$;

-- What a pending change waits for has no workflow: the row in waits is what the inbox shows.
create function private.credit_change_wait_id(_org_id uuid, _id uuid) returns text
language sql immutable
set search_path = ''
as $$
  select pg_catalog.format('credit-change:%s:%s', _org_id, _id)
$$;

-- A manual change of a wallet, by the ops person in the claims. At or below the threshold it is posted at once; above it
-- waits for a second ops person. One that cannot fit now is refused in both cases.
create function private.api_request_credit_change(
  _org_id uuid,
  _member_id uuid,
  _amount integer,
  _reason text,
  _at timestamptz
) returns setof public.soundcloud_credit_change_requests
language plpgsql security definer
set search_path = ''
as $$
declare
  _change public.soundcloud_credit_change_requests;
  _wallet record;
  _threshold integer;
begin
  perform private.require_ops(_org_id);
  -- Wallet first: the new row's foreign key locks the member.
  select w.balance, w.cap - w.balance - w.held as headroom, m.name into _wallet
  from public.soundcloud_repost_credit_wallet w
  join public.soundcloud_members m on m.org_id = w.org_id and m.id = w.member_id
  where w.org_id = _org_id and w.member_id = _member_id
  for update of w;
  if _wallet is null then
    perform private.refuse('not_found', 'This org has no such member. Name one of its members.');
  end if;
  select s.four_eyes_threshold into strict _threshold
  from public.soundcloud_settings s where s.org_id = _org_id;

  insert into public.soundcloud_credit_change_requests (org_id, member_id, amount, reason, requested_by, requested_at)
  values (_org_id, _member_id, _amount, _reason, auth.uid(), _at)
  returning * into _change;

  if pg_catalog.abs(_amount::bigint) <= _threshold then
    update public.soundcloud_credit_change_requests r
    set status = 'applied', decided_at = _at, entry_id = private.apply_credit_change(_change, null, _at)
    where r.org_id = _org_id and r.id = _change.id
    returning * into _change;
    return next _change;
    return;
  end if;

  if _amount > _wallet.headroom then
    perform private.refuse_credit_change('above_headroom', _amount, _wallet.balance, _wallet.headroom);
  elsif _wallet.balance + _amount < 0 then
    perform private.refuse_credit_change('insufficient_credits', _amount, _wallet.balance, _wallet.headroom);
  end if;
  insert into public.soundcloud_waits (
    org_id, workflow_id, entity_type, entity_id, stage, waiting_on, who_can_act, how_to_act, since
  ) values (
    _org_id, private.credit_change_wait_id(_org_id, _change.id), 'credit_change', _change.id, 'second_person', 'ops',
    'an admin or moderator other than whoever asked for it',
    pg_catalog.format('POST /v1/credit-changes/%s/approve, or /reject with a note', _change.id), _at
  );
  insert into public.soundcloud_notifications (org_id, user_id, title, message, type, action_url, metadata, dedupe_key)
  select distinct _org_id, role.user_id, 'A credit change waits for a second person',
         pg_catalog.format('%s for %s: %s', private.credits_in_words(_amount), _wallet.name, _reason),
         'warning'::public.soundcloud_notification_type, '/console/inbox',
         pg_catalog.jsonb_build_object('credit_change_id', _change.id),
         pg_catalog.format('credit_change.pending:%s:%s', _change.id, role.user_id)
  from public.soundcloud_user_roles role
  join public.memberships m on m.org_id = role.org_id and m.user_id = role.user_id
  where role.org_id = _org_id and role.role in ('admin', 'moderator') and role.user_id <> _change.requested_by
  on conflict (org_id, dedupe_key) do nothing;
  return next _change;
end
$$;

-- Ends a pending change: `approved` or `rejected` by a second ops person, `withdrawn` by whoever asked for it. The row
-- is locked first, so of two decisions at the same moment one is told of the other.
create function private.api_decide_credit_change(
  _org_id uuid,
  _id uuid,
  _decision text,
  _note text,
  _at timestamptz
) returns setof public.soundcloud_credit_change_requests
language plpgsql security definer
set search_path = ''
as $$
declare
  _change public.soundcloud_credit_change_requests;
  _entry_id uuid;
begin
  perform private.require_ops(_org_id);
  if _decision is null or _decision not in ('approved', 'rejected', 'withdrawn') then
    raise exception using errcode = '22023', message = 'A credit change is approved, rejected or withdrawn.';
  end if;
  select * into _change
  from public.soundcloud_credit_change_requests r
  where r.org_id = _org_id and r.id = _id
  for update;
  if _change.id is null then
    perform private.refuse('not_found', 'This org has no such credit change.');
  elsif _change.status <> 'pending' then
    perform private.refuse('credit_change_decided', pg_catalog.format(
      'This credit change is %s already; nothing was changed now. Ask for a new one to correct it.', _change.status));
  elsif _decision = 'withdrawn' and _change.requested_by <> auth.uid() then
    perform private.refuse('requester_only',
      'Only whoever asked for the change withdraws it. Reject it with a note instead.');
  elsif _decision <> 'withdrawn' and _change.requested_by = auth.uid() then
    perform private.refuse('second_person_required',
      'You asked for this change yourself. Another admin or moderator decides; you may withdraw it.');
  end if;

  if _decision = 'approved' then
    _entry_id := private.apply_credit_change(_change, auth.uid(), _at);
  end if;
  update public.soundcloud_credit_change_requests r
  set status = _decision, decided_by = auth.uid(), decided_at = _at, decision_note = _note, entry_id = _entry_id
  where r.org_id = _org_id and r.id = _id
  returning * into _change;
  delete from public.soundcloud_waits w
  where w.org_id = _org_id and w.workflow_id = private.credit_change_wait_id(_org_id, _id);

  if _decision <> 'withdrawn' then
    insert into public.soundcloud_notifications (org_id, user_id, title, message, type, action_url, metadata, dedupe_key)
    select _org_id, _change.requested_by, 'Your credit change was ' || _decision,
           pg_catalog.concat_ws(' ',
             pg_catalog.format('%s for %s: %s.', private.credits_in_words(_change.amount), m.name, _change.reason),
             _note),
           case _decision when 'approved' then 'success' else 'warning' end::public.soundcloud_notification_type,
           '/console/members/' || _change.member_id,
           pg_catalog.jsonb_build_object('credit_change_id', _id),
           pg_catalog.format('credit_change.decided:%s:%s', _id, _change.requested_by)
    from public.soundcloud_members m
    where m.org_id = _org_id and m.id = _change.member_id
      and exists (
        select from public.memberships x where x.org_id = _org_id and x.user_id = _change.requested_by
      )
    on conflict (org_id, dedupe_key) do nothing;
  end if;
  return next _change;
end
$$;

-- Months that have grants, newest first, each with its totals. Definer functions, because under row-level security the
-- month inside the key is no index condition. `_before` continues a page. The months are found by hopping over the index.
create function private.api_grant_months(_org_id uuid, _limit integer, _before text default null)
returns table (month text, members integer, credits bigint, forfeited bigint)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_ops(_org_id);
  return query
    with recursive months (month, n) as (
      select max(pg_catalog.right(l.idempotency_key, 7)), 1
      from public.soundcloud_repost_credit_ledger l
      where l.org_id = _org_id and l.reference_type = 'monthly_grant'
        and (_before is null or pg_catalog.right(l.idempotency_key, 7) < _before)
      union all
      select (
        select max(pg_catalog.right(l.idempotency_key, 7))
        from public.soundcloud_repost_credit_ledger l
        where l.org_id = _org_id and l.reference_type = 'monthly_grant'
          and pg_catalog.right(l.idempotency_key, 7) < months.month
      ), months.n + 1
      from months
      where months.month is not null and months.n < least(_limit, 250)
    )
    select m.month, t.members, t.credits, t.forfeited
    from months m
    cross join lateral (
      select count(*)::integer, sum(l.change_amount), sum(l.forfeited)
      from public.soundcloud_repost_credit_ledger l
      where l.org_id = _org_id and l.reference_type = 'monthly_grant'
        and pg_catalog.right(l.idempotency_key, 7) = m.month
    ) as t (members, credits, forfeited)
    where m.month is not null
    order by m.month desc;
end
$$;

-- The entries of one month's grant, by member; `_after_member` continues a page.
create function private.api_grant_entries(
  _org_id uuid,
  _month text,
  _limit integer,
  _after_member uuid default null
) returns table (
  entry_id uuid,
  member_id uuid,
  member_name text,
  version bigint,
  change_amount integer,
  forfeited integer,
  balance_after integer,
  occurred_at timestamptz
)
language plpgsql stable security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform private.require_ops(_org_id);
  return query
    select l.id, l.member_id, m.name, l.version, l.change_amount, l.forfeited, l.balance_after, l.occurred_at
    from public.soundcloud_repost_credit_ledger l
    join public.soundcloud_members m on m.org_id = l.org_id and m.id = l.member_id
    where l.org_id = _org_id and l.reference_type = 'monthly_grant'
      and pg_catalog.right(l.idempotency_key, 7) = _month
      and (_after_member is null or l.member_id > _after_member)
    order by l.member_id
    limit least(_limit, 251);
end
$$;

-- Credits over all orgs, for /metrics: sums only, nothing of any org. The month is that of UTC, because one number
-- cannot follow each org's timezone.
create function private.api_credit_totals() returns jsonb
language sql stable security definer
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object(
    'balance', w.balance,
    'held', w.held,
    'open_holds', (select count(*) from public.soundcloud_credit_holds where status = 'open'),
    'forfeited_this_month', (
      select coalesce(sum(l.forfeited), 0)
      from public.soundcloud_repost_credit_ledger l
      where l.forfeited > 0
        and l.occurred_at >= (
          select pg_catalog.date_trunc('month', private.business_now() at time zone 'UTC') at time zone 'UTC')
    ),
    'pending_changes', (
      select count(*) from public.soundcloud_credit_change_requests where status = 'pending'
    )
  )
  from (
    select coalesce(sum(balance), 0) as balance, coalesce(sum(held), 0) as held
    from public.soundcloud_repost_credit_wallet
  ) w
$$;

revoke execute on function
  private.api_credit_settings(uuid),
  private.require_ops(uuid),
  private.refuse_credit_change(text, integer, integer, integer),
  private.apply_credit_change(public.soundcloud_credit_change_requests, uuid, timestamptz),
  private.credits_in_words(integer),
  private.credit_change_wait_id(uuid, uuid),
  private.api_request_credit_change(uuid, uuid, integer, text, timestamptz),
  private.api_decide_credit_change(uuid, uuid, text, text, timestamptz),
  private.api_grant_months(uuid, integer, text),
  private.api_grant_entries(uuid, text, integer, uuid),
  private.api_credit_totals()
from public;
grant execute on function
  private.api_credit_settings(uuid),
  private.api_request_credit_change(uuid, uuid, integer, text, timestamptz),
  private.api_decide_credit_change(uuid, uuid, text, text, timestamptz),
  private.api_grant_months(uuid, integer, text),
  private.api_grant_entries(uuid, text, integer, uuid),
  private.api_credit_totals()
to spark_api;
