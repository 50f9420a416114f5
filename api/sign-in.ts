/**
 * Reads the Authorization header. People show a Supabase access token (HS256 with the project's secret, or a key of
 * its JWKS); programs show an API key `spark_<id>_<secret>`.
 */
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { isStorable } from '../domain/storable-text.js';
import type { Caller, PersonCaller } from './caller.js';
import { Problem } from './problems.js';
import { id } from './schemas.js';

/** Never taken from the token: a token that chooses its own algorithm is the classic forgery. */
const SECRET_ALGORITHMS = ['HS256'];
const JWKS_ALGORITHMS = ['ES256', 'RS256'];
const CLOCK_TOLERANCE_SECONDS = 5;

export type SignIn = (authorization: string | undefined) => Promise<Caller>;

const personClaims = z.object({
  sub: id,
  role: z.literal('authenticated'),
  email: z.string().max(320).refine(isStorable).optional(),
  exp: z.number(),
});

const apiKey = /^spark_([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([A-Za-z0-9_-]{16,200})$/u;

/**
 * @param keys the HS256 secret, the JWKS address, or both (Supabase projects that rotate from one to the other).
 * @returns a reader that throws a 401 Problem for everything it cannot trust, 503 when the JWKS is out of reach.
 */
export function createSignIn(keys: { secret?: string | undefined; jwksUrl?: string | undefined }): SignIn {
  const secret = keys.secret === undefined ? undefined : new TextEncoder().encode(keys.secret);
  const jwks = keys.jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(keys.jwksUrl));

  async function verify(token: string): Promise<JWTPayload> {
    const algorithm = decodeProtectedHeader(token).alg ?? '';
    const checks = {
      audience: 'authenticated',
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    };
    if (secret !== undefined && SECRET_ALGORITHMS.includes(algorithm)) {
      return (await jwtVerify(token, secret, { ...checks, algorithms: SECRET_ALGORITHMS })).payload;
    }
    if (jwks !== undefined && JWKS_ALGORITHMS.includes(algorithm)) {
      return (await jwtVerify(token, jwks, { ...checks, algorithms: JWKS_ALGORITHMS })).payload;
    }
    throw new errors.JOSEAlgNotAllowed('The algorithm of this token is not accepted.');
  }

  async function readPerson(token: string): Promise<PersonCaller> {
    const payload = await verify(token).catch((error: unknown) => {
      throw tokenProblem(error);
    });
    const claims = personClaims.safeParse(payload);
    if (!claims.success) {
      throw new Problem('invalid_token', {
        detail:
          'The token is not that of a signed-in person: role must be `authenticated` and sub a user id.',
      });
    }
    const { sub, role, email, exp } = claims.data;
    return {
      kind: 'person',
      userId: sub,
      expiresAt: exp * 1_000,
      claims: { sub, role, aud: 'authenticated', ...(email && { email }) },
    };
  }

  return async (authorization) => {
    const credential = /^Bearer ([\x21-\x7e]{1,8192})$/iu.exec(authorization ?? '')?.[1];
    if (credential === undefined) throw new Problem('unauthenticated');
    if (!credential.startsWith('spark_')) return readPerson(credential);
    const [, keyId, keySecret] = apiKey.exec(credential) ?? [];
    if (keyId === undefined || keySecret === undefined) throw new Problem('invalid_api_key');
    return { kind: 'key', keyId, secretHash: createHash('sha256').update(keySecret).digest('hex') };
  };
}

function tokenProblem(error: unknown): Problem {
  if (error instanceof errors.JWTExpired) return new Problem('token_expired', { cause: error });
  const unreachable =
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError);
  // decodeProtectedHeader throws a TypeError for text that is no token at all.
  if (unreachable && !(error instanceof TypeError && /protected header|token/iu.test(error.message))) {
    return new Problem('sign_in_unavailable', { cause: error });
  }
  return new Problem('invalid_token', { cause: error });
}
