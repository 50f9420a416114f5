/**
 * Webhooks in the form of Standard Webhooks, signed with the operator's secret, tried again when nobody takes them.
 * Kept on disk: one that was due while the stand-in was away is sent after its return.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import type { FaultBox } from '../faults.js';
import { type Journal, openJournal } from '../journal.js';

const MINUTE_MS = 60_000;
/** Business time between the tries; after the last one it is given up. */
const WAITS_MS = [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS];
const ANSWER_WITHIN_MS = 5_000;

const messageRow = z.object({
  number: z.number().int(),
  /** The same over all tries and repetitions. */
  id: z.string(),
  type: z.string(),
  body: z.string(),
  forged: z.boolean(),
  /** Goes out as soon as another one has. */
  behindNext: z.boolean(),
});
const entry = z.union([
  z.object({ queued: messageRow, due: z.number() }),
  z.object({ failed: z.number().int(), due: z.number().nullable() }),
  z.object({ delivered: z.number().int() }),
  z.object({ url: z.url().nullable() }),
]);

export interface WebhookMessage extends z.output<typeof messageRow> {
  /** Business epoch ms of the next try; null: there is none. */
  due: number | null;
  attempts: number;
  delivered: boolean;
}

export interface WebhookOptions {
  dataDir: string;
  faults: FaultBox;
  /** `whsec_…` */
  secret: string;
  /** Where they go until an admin call names another address; null: nowhere. */
  url: string | null;
  /** Business epoch ms. */
  now: () => number;
}

export class WebhookSender {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #messages: WebhookMessage[] = [];
  #url: string | null;
  #sending = false;
  #closed = false;

  constructor(private readonly options: WebhookOptions) {
    this.#url = options.url;
    this.#journal = openJournal(join(options.dataDir, 'webhooks.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  /** @param url null: no webhooks from now on. */
  setUrl(url: string | null): void {
    this.#write({ url });
  }

  list(): readonly WebhookMessage[] {
    return this.#messages;
  }

  /** @param key names the event: what is queued under a key twice is one event. @param at business epoch ms. */
  queue(key: string, type: string, at: number, data: Record<string, unknown>): void {
    const id = `msg_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
    if (this.#url === null || this.#messages.some((message) => message.id === id)) return;
    const faults = this.options.faults.strikeWebhook();
    const has = (how: (typeof faults)[number]['how']) => faults.find((fault) => fault.how === how);
    if (has('lost')) return;
    const behindNext = has('reorder') !== undefined;
    const delay = (has('late')?.hours ?? 0) * HOUR_MS + (behindNext ? HOUR_MS : 0);
    const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
    for (let copy = 0; copy <= (has('repeat')?.times ?? 0); copy += 1) {
      const number = this.#messages.length;
      const queued = { number, id, type, body, forged: has('forged') !== undefined, behindNext };
      this.#write({ queued, due: at + delay });
    }
  }

  /** Sends what is due, one after the other. Returns at once while an earlier call is still sending. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#nextDue(); next && !this.#closed; next = this.#nextDue()) await this.#try(next);
    } finally {
      this.#sending = false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#journal.close();
  }

  #nextDue(): WebhookMessage | undefined {
    const now = this.options.now();
    const due = this.#messages.filter((message) => message.due !== null && message.due <= now);
    return due.sort((a, b) => (a.due ?? 0) - (b.due ?? 0) || a.number - b.number)[0];
  }

  async #try(message: WebhookMessage): Promise<void> {
    const taken = this.#url !== null && (await this.#post(this.#url, message));
    // A try that the end of the stand-in interrupts is made again after its return.
    if (this.#closed) return;
    if (taken) {
      this.#write({ delivered: message.number });
      for (const held of this.#messages)
        if (held.behindNext && held.due !== null && held.id !== message.id)
          held.due = Math.min(held.due, this.options.now());
      return;
    }
    const wait = WAITS_MS[message.attempts];
    const due = wait === undefined || this.#url === null ? null : this.options.now() + wait;
    this.#write({ failed: message.number, due });
  }

  async #post(url: string, { id, body, forged }: WebhookMessage): Promise<boolean> {
    // Receivers compare it with the real time.
    const at = new Date();
    const signature = new Webhook(this.options.secret).sign(id, at, forged ? `${body} ` : body);
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'webhook-signature': signature,
        },
        body,
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('url' in record) {
      this.#url = record.url;
    } else if ('queued' in record) {
      this.#messages.push({ ...record.queued, due: record.due, attempts: 0, delivered: false });
    } else {
      const message = this.#messages['failed' in record ? record.failed : record.delivered];
      if (!message) return;
      message.attempts += 1;
      message.due = 'failed' in record ? record.due : null;
      message.delivered = 'delivered' in record;
    }
  }
}
