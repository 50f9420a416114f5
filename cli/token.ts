/** Access tokens as Supabase makes them, for stacks without Supabase. */
import { SignJWT } from 'jose';
import type { Login } from '../db/logins.js';

export interface TokenOptions {
  secret: string;
  login: Login;
  /** Lifetime in hours. */
  hours: number;
}

/** Signs an HS256 token: role and audience `authenticated`, the login's id and e-mail, an expiry. */
export function signToken({ secret, login, hours }: TokenOptions): Promise<string> {
  return new SignJWT({ role: 'authenticated', email: login.email })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer('artist-spark')
    .setSubject(login.id)
    .setAudience('authenticated')
    .setIssuedAt()
    .setExpirationTime(`${hours}h`)
    .sign(new TextEncoder().encode(secret));
}
