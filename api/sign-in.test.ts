/** Access tokens signed with a key of a JWKS, and the classic confusion of its public key with an HMAC secret. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSignIn } from './sign-in.js';

const USER = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d12';
const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
let server: Server;
let jwksUrl: string;

beforeAll(async () => {
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }];
  server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

const claims = () =>
  new SignJWT({ role: 'authenticated', email: 'artist@first.test', user_metadata: { role: 'admin' } })
    .setSubject(USER)
    .setAudience('authenticated')
    .setExpirationTime('1h');

describe('sign-in by JWKS', () => {
  it('accepts a token of the published key, and hands on only what policies need', async () => {
    const token = await claims().setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey);
    expect(await createSignIn({ jwksUrl })(`Bearer ${token}`)).toEqual({
      kind: 'person',
      userId: USER,
      expiresAt: expect.any(Number),
      claims: { sub: USER, role: 'authenticated', aud: 'authenticated', email: 'artist@first.test' },
    });
  });

  it('refuses an HMAC over the public key, another key, and HS256 where only a JWKS is configured', async () => {
    const publicText = new TextEncoder().encode(await exportSPKI(publicKey));
    const confused = await claims().setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(publicText);
    const foreign = await generateKeyPair('ES256');
    const forged = await claims().setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(foreign.privateKey);
    const unknown = await claims().setProtectedHeader({ alg: 'ES256', kid: 'two' }).sign(privateKey);
    for (const token of [confused, forged, unknown]) {
      await expect(createSignIn({ jwksUrl })(`Bearer ${token}`)).rejects.toMatchObject({
        code: 'invalid_token',
      });
    }
    const secret = 'x'.repeat(40);
    await expect(createSignIn({ jwksUrl, secret })(`Bearer ${confused}`)).rejects.toMatchObject({
      code: 'invalid_token',
    });
  });

  it('says 503, not 401, while the keys are out of reach', async () => {
    const token = await claims().setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey);
    const away = createSignIn({ jwksUrl: 'http://127.0.0.1:9/jwks.json' });
    await expect(away(`Bearer ${token}`)).rejects.toMatchObject({ code: 'sign_in_unavailable', status: 503 });
    await expect(away('Bearer not.a.token')).rejects.toMatchObject({ code: 'invalid_token' });
  });
});
