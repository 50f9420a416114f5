-- Access tokens of providers that give few of them (SoundCloud: 50 per 12 h and app), shared by all workers and kept
-- over their restarts. The worker encrypts and decrypts; here is ciphertext only.
create table public.soundcloud_provider_tokens (
  -- names provider and app; holds no secret
  key text primary key,
  -- null while the first token is being asked for
  ciphertext bytea,
  kept_at timestamptz not null default now()
);

-- Spans orgs: only the functions below touch it, so no role has a grant or a policy.
alter table public.soundcloud_provider_tokens enable row level security;
revoke all on public.soundcloud_provider_tokens
  from public, anon, authenticated, service_role, spark_integrator, spark_api, spark_worker;

create function private.read_provider_token(_key text) returns bytea
language sql stable security definer
set search_path = ''
as $$
  select t.ciphertext from public.soundcloud_provider_tokens t where t.key = _key;
$$;

-- The same, and nobody else gets in until the transaction ends: one process asks for a new token, the others wait.
create function private.lock_provider_token(_key text) returns bytea
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  _ciphertext bytea;
begin
  insert into public.soundcloud_provider_tokens (key) values (_key) on conflict (key) do nothing;
  select t.ciphertext into strict _ciphertext
  from public.soundcloud_provider_tokens t where t.key = _key for update;
  return _ciphertext;
end;
$$;

create function private.keep_provider_token(_key text, _ciphertext bytea) returns void
language sql volatile security definer
set search_path = ''
as $$
  insert into public.soundcloud_provider_tokens (key, ciphertext) values (_key, _ciphertext)
  on conflict (key) do update set ciphertext = excluded.ciphertext, kept_at = pg_catalog.now();
$$;

revoke execute on function
  private.read_provider_token(text),
  private.lock_provider_token(text),
  private.keep_provider_token(text, bytea)
from public;
grant execute on function
  private.read_provider_token(text),
  private.lock_provider_token(text),
  private.keep_provider_token(text, bytea)
to spark_worker;
