/** Access tokens of the stand-in: app credentials, about an hour of life, 50 per 12 hours and app. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { type Journal, openJournal } from '../journal.js';

const HOUR_MS = 3_600_000;
const LIFE_MS = HOUR_MS;
const WINDOW_MS = 12 * HOUR_MS;
const TOKENS_PER_WINDOW = 50;

/** Only hashes are kept: the file is no key to anything. */
const entry = z.union([
  z.object({
    issued: z.object({ access: z.string(), refresh: z.string(), at: z.number(), byRefresh: z.boolean() }),
  }),
  z.object({ used: z.string() }),
  z.object({ revokedBefore: z.number() }),
]);

export interface TokenDeskOptions {
  dataDir: string;
  clientId: string;
  clientSecret: string;
  /** How much faster business time runs: the limit rises with it. */
  compression: number;
  /** Real epoch ms. */
  now: () => number;
}

export class TokenDesk {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #goodUntil = new Map<string, number>();
  readonly #refreshable = new Set<string>();
  #exchanges: number[] = [];
  #issued = 0;

  constructor(private readonly options: TokenDeskOptions) {
    this.#journal = openJournal(join(options.dataDir, 'tokens.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  get issued(): number {
    return this.#issued;
  }

  /** True for the header of a request with a living token. */
  accepts(authorization: string | undefined): boolean {
    const token = /^OAuth (\S+)$/.exec(authorization ?? '')?.[1];
    return token !== undefined && (this.#goodUntil.get(hash(token)) ?? 0) > this.options.now();
  }

  /** Ends all tokens, refresh tokens too; the app must show its credentials again. */
  revokeAll(): void {
    this.#write({ revokedBefore: this.options.now() });
  }

  /** `POST /oauth/token` */
  readonly answer = (req: Request, res: Response): void => {
    const form = z
      .object({
        grant_type: z.string().optional(),
        refresh_token: z.string().optional(),
        client_id: z.string().optional(),
        client_secret: z.string().optional(),
      })
      .catch({})
      .parse(req.body ?? {});
    const basic = /^Basic (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
    const [id, secret] = basic
      ? split(Buffer.from(basic, 'base64').toString('utf8'))
      : [form.client_id, form.client_secret];
    if (id !== this.options.clientId || secret !== this.options.clientSecret) {
      res.status(401).json({ error: 'invalid_client' });
      return;
    }
    if (form.grant_type === 'refresh_token') this.#refresh(form.refresh_token ?? '', res);
    else if (form.grant_type === 'client_credentials') this.#exchange(res);
    else res.status(400).json({ error: 'unsupported_grant_type' });
  };

  close(): void {
    this.#journal.close();
  }

  #exchange(res: Response): void {
    const now = this.options.now();
    this.#exchanges = this.#exchanges.filter((at) => at > now - WINDOW_MS);
    if (this.#exchanges.length >= Math.floor(TOKENS_PER_WINDOW * this.options.compression)) {
      const free = (this.#exchanges[0] ?? now) + WINDOW_MS;
      res.status(429).set('Retry-After', String(Math.max(1, Math.ceil((free - now) / 1_000))));
      res.json({ error: 'rate_limit_exceeded' });
      return;
    }
    this.#issue(res, false);
  }

  #refresh(token: string, res: Response): void {
    if (!this.#refreshable.has(hash(token))) {
      res.status(400).json({ error: 'invalid_grant' });
      return;
    }
    this.#write({ used: hash(token) });
    this.#issue(res, true);
  }

  #issue(res: Response, byRefresh: boolean): void {
    const access = randomBytes(24).toString('base64url');
    const refresh = randomBytes(24).toString('base64url');
    this.#write({
      issued: { access: hash(access), refresh: hash(refresh), at: this.options.now(), byRefresh },
    });
    res.json({
      access_token: access,
      token_type: 'bearer',
      expires_in: LIFE_MS / 1_000 - 1,
      refresh_token: refresh,
      scope: '',
    });
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('issued' in record) {
      const { access, refresh, at, byRefresh } = record.issued;
      this.#goodUntil.set(access, at + LIFE_MS);
      this.#refreshable.add(refresh);
      this.#issued += 1;
      if (!byRefresh) this.#exchanges.push(at);
    } else if ('used' in record) this.#refreshable.delete(record.used);
    else {
      this.#goodUntil.clear();
      this.#refreshable.clear();
    }
  }
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

function split(pair: string): [string, string | undefined] {
  const at = pair.indexOf(':');
  return at < 0 ? [pair, undefined] : [pair.slice(0, at), pair.slice(at + 1)];
}
