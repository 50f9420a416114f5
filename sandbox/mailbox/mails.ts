/** What the mailbox holds: every mail it took, and for a day which idempotency key brought it. Kept on disk. */
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { type Journal, openJournal } from '../journal.js';

const addresses = z.union([z.string().min(3), z.array(z.string().min(3)).min(1).max(50)]);

/** The body of `POST /emails`, as far as the product uses it. */
export const mailInput = z.object({
  from: z.string().min(3),
  to: addresses,
  subject: z.string().min(1),
  html: z.string().optional(),
  text: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  tags: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});

const mailRow = z.object({
  id: z.string(),
  from: z.string(),
  to: z.array(z.string()),
  subject: z.string(),
  html: z.string().nullable(),
  text: z.string().nullable(),
  headers: z.record(z.string(), z.string()),
  tags: z.array(z.object({ name: z.string(), value: z.string() })),
  idempotency_key: z.string().nullable(),
  /** Real time, ISO. */
  created_at: z.string(),
  /** Business time, ISO. */
  business_at: z.string(),
});
const entry = z.object({ mail: mailRow, bodyHash: z.string() });

export type Mail = z.output<typeof mailRow>;

export interface MailFilter {
  to?: string | undefined;
  subject?: string | undefined;
  /** `name:value`, or a name. */
  tag?: string | undefined;
  key?: string | undefined;
  /** Real time, ISO. */
  since?: string | undefined;
}

/** How long a key is remembered: real time, because it is about repeated HTTP requests. */
const KEY_LIFE_MS = 24 * 3_600_000;

export type Reservation =
  | { kind: 'fresh' }
  | { kind: 'repeat'; id: string }
  | { kind: 'other_body' }
  | { kind: 'in_flight' };

export class MailStore {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #mails: Mail[] = [];
  readonly #byKey = new Map<string, { id: string; bodyHash: string; at: number }>();
  readonly #inFlight = new Map<string, string>();

  constructor(dataDir: string) {
    this.#journal = openJournal(join(dataDir, 'mails.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  /** Claims a key for a body. After `fresh` the caller must `store` or `release`. @param now real epoch ms. */
  reserve(key: string | null, bodyHash: string, now: number): Reservation {
    if (key === null) return { kind: 'fresh' };
    const known = this.#byKey.get(key);
    if (known && now - known.at < KEY_LIFE_MS) {
      return known.bodyHash === bodyHash ? { kind: 'repeat', id: known.id } : { kind: 'other_body' };
    }
    const other = this.#inFlight.get(key);
    if (other !== undefined) return other === bodyHash ? { kind: 'in_flight' } : { kind: 'other_body' };
    this.#inFlight.set(key, bodyHash);
    return { kind: 'fresh' };
  }

  release(key: string | null): void {
    if (key !== null) this.#inFlight.delete(key);
  }

  /** @param now real epoch ms. @param businessNow business epoch ms. @returns the id. */
  store(
    input: z.output<typeof mailInput>,
    key: string | null,
    bodyHash: string,
    now: number,
    businessNow: number,
  ): string {
    const mail: Mail = {
      id: randomUUID(),
      from: input.from,
      to: Array.isArray(input.to) ? input.to : [input.to],
      subject: input.subject,
      html: input.html ?? null,
      text: input.text ?? null,
      headers: input.headers ?? {},
      tags: input.tags ?? [],
      idempotency_key: key,
      created_at: new Date(now).toISOString(),
      business_at: new Date(businessNow).toISOString(),
    };
    this.#journal.append({ mail, bodyHash });
    this.#apply({ mail, bodyHash });
    this.release(key);
    return mail.id;
  }

  find(id: string): Mail | undefined {
    return this.#mails.find((mail) => mail.id === id);
  }

  /** Newest first. */
  list(filter: MailFilter): Mail[] {
    const to = filter.to?.toLowerCase();
    const subject = filter.subject?.toLowerCase();
    return this.#mails
      .filter(
        (mail) =>
          (to === undefined || mail.to.some((address) => address.toLowerCase().includes(to))) &&
          (subject === undefined || mail.subject.toLowerCase().includes(subject)) &&
          (filter.tag === undefined ||
            mail.tags.some(({ name, value }) => name === filter.tag || `${name}:${value}` === filter.tag)) &&
          (filter.key === undefined || mail.idempotency_key === filter.key) &&
          (filter.since === undefined || mail.created_at >= filter.since),
      )
      .reverse();
  }

  close(): void {
    this.#journal.close();
  }

  #apply({ mail, bodyHash }: z.output<typeof entry>): void {
    this.#mails.push(mail);
    if (mail.idempotency_key === null) return;
    this.#byKey.set(mail.idempotency_key, { id: mail.id, bodyHash, at: Date.parse(mail.created_at) });
  }
}

export function hashOfBody(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('base64url');
}
