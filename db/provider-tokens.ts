/** The access token of a provider's app, shared by all processes, encrypted before it reaches the database. */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Db, Queryable } from './client.js';

/** As providers/soundcloud/token.ts has it (`StoredToken`). */
export interface ProviderToken {
  accessToken: string;
  refreshToken: string | null;
  /** Real epoch ms. */
  expiresAt: number;
}

export interface ProviderTokenOptions {
  provider: 'soundcloud';
  /** Where the token comes from: another endpoint or app has a token of its own. */
  tokenUrl: string;
  clientId: string;
  /** The key of the encryption is derived from it. With another secret, what is kept cannot be read and is replaced. */
  clientSecret: string;
}

const tokenSchema = z.object({
  accessToken: z.string(),
  refreshToken: z.string().nullable(),
  expiresAt: z.number(),
});

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A renewal is one or two HTTP requests. A process that stands still longer loses its turn. */
const LONGEST_RENEWAL = '90s';
const LONGEST_WAIT = '120s';

/**
 * A token store (`SoundCloudTokenStore`) on the worker's login.
 * @param db a pool; a renewal holds one of its connections, and the row, until it has ended.
 */
export function createProviderTokenStore(db: Db, options: ProviderTokenOptions) {
  const { provider, tokenUrl, clientId, clientSecret } = options;
  const app = createHash('sha256').update(`${tokenUrl}\n${clientId}`).digest('hex');
  const key = `${provider}:${app}`;
  const secret = Buffer.from(hkdfSync('sha256', clientSecret, '', `artist-spark token ${key}`, 32));

  function open(sealed: Buffer | null | undefined): ProviderToken | null {
    if (!sealed) return null;
    try {
      const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const text = Buffer.concat([
        decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)),
        decipher.final(),
      ]).toString('utf8');
      return tokenSchema.parse(JSON.parse(text));
    } catch {
      // Another client secret, or damage: a new token replaces it.
      return null;
    }
  }

  function seal(token: ProviderToken): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', secret, nonce);
    return Buffer.concat([
      nonce,
      cipher.update(JSON.stringify(token), 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  async function sealedBy(on: Queryable, call: 'read_provider_token' | 'lock_provider_token') {
    const { rows } = await sql<{ sealed: Buffer | null }>`
      select ${sql.id('private', call)}(${key}) as sealed`.execute(on);
    return rows[0]?.sealed;
  }

  return {
    /** The kept token, expired or not; null when there is none that can be read. */
    read: async (): Promise<ProviderToken | null> => open(await sealedBy(db, 'read_provider_token')),
    /**
     * Runs `obtain` while no other process does, with what is kept by then, and keeps what it answers with.
     * @throws what `obtain` throws, after which nothing has changed; DatabaseError 55P03 when the turn never comes.
     */
    renew: (obtain: (kept: ProviderToken | null) => Promise<ProviderToken>): Promise<void> =>
      db.transaction().execute(async (trx) => {
        await sql`select set_config('lock_timeout', ${LONGEST_WAIT}, true),
          set_config('idle_in_transaction_session_timeout', ${LONGEST_RENEWAL}, true)`.execute(trx);
        const kept = open(await sealedBy(trx, 'lock_provider_token'));
        const token = await obtain(kept);
        if (token === kept) return;
        await sql`select private.keep_provider_token(${key}, ${seal(token)})`.execute(trx);
      }),
  };
}
