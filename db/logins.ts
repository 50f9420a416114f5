/** Logins (`auth.users`): GoTrue's on Supabase, our own local ones on plain PostgreSQL. Owner connection only. */
import { sql } from 'kysely';
import type { Queryable } from './client.js';
import { linkLogin } from './sign-in.js';

export interface Login {
  id: string;
  email: string;
}

/** Whether `auth.users` is the table of our shim, so that logins are ours to make. On Supabase they are GoTrue's. */
export async function loginsAreLocal(db: Queryable): Promise<boolean> {
  const { rows } = await sql<{
    local: boolean;
  }>`select to_regclass('auth.identities') is null as local`.execute(db);
  return rows[0]?.local ?? false;
}

/** The verified login with an e-mail (compared in lower case). */
export async function findLogin(db: Queryable, email: string): Promise<Login | undefined> {
  const { rows } = await sql<Login>`
    select id, email from auth.users
    where email = ${normaliseEmail(email)} and email_confirmed_at is not null
    order by created_at, id limit 1`.execute(db);
  return rows[0];
}

/**
 * The login with an e-mail; a local one is made when missing, counts as verified, and is linked to the members that
 * list the e-mail.
 * @throws Error saying how to make the login where logins are Supabase's.
 */
export async function ensureLogin(db: Queryable, email: string): Promise<Login> {
  const found = await findLogin(db, email);
  if (found) {
    await linkLogin(db, found.id, found.email);
    return found;
  }
  if (!(await loginsAreLocal(db))) {
    throw new Error(
      `No verified login has the e-mail ${email}. Invite that person in Supabase (Authentication → Users), let them sign in once, then run this again.`,
    );
  }
  const { rows } = await sql<Login>`
    insert into auth.users (email, email_confirmed_at) values (${normaliseEmail(email)}, now())
    on conflict (email) where is_sso_user = false
      do update set email_confirmed_at = coalesce(auth.users.email_confirmed_at, excluded.email_confirmed_at)
    returning id, email`.execute(db);
  const [login] = rows;
  if (!login) throw new Error('The login could not be written to auth.users.');
  await linkLogin(db, login.id, login.email);
  return login;
}

function normaliseEmail(email: string): string {
  return email.trim().toLowerCase();
}
