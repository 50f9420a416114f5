/**
 * Faults on order. A test or the demo posts one to a system's `/_admin/faults`; it strikes every matching request until
 * its count is used up or it is cleared. Faults are kept on disk like the rest of a system's state.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { NextFunction, Request, Response } from 'express';
import { z } from 'zod';
import { type Journal, openJournal } from './journal.js';

const effects = [
  /** Waits before the request is processed, real ms. */
  z.object({ kind: z.literal('latency'), ms: z.number().int().min(0).max(600_000) }),
  /** Answers with this instead (429 with headers, 500, …). `processed`: the request took effect all the same. */
  z.object({
    kind: z.literal('status'),
    status: z.number().int().min(200).max(599),
    headers: z.record(z.string(), z.string()).default({}),
    body: z.unknown().optional(),
    processed: z.boolean().default(false),
  }),
  /** Holds the request until the fault is cleared. Not `processed`: it is forgotten if the client leaves before that. */
  z.object({ kind: z.literal('hang'), processed: z.boolean().default(false) }),
  /** Accepts the request, then closes the connection without an answer. */
  z.object({ kind: z.literal('drop'), processed: z.boolean().default(true) }),
  /** Processes the request, then answers 200 with a page that is not JSON. */
  z.object({ kind: z.literal('garbage') }),
  /** Lists come back empty, with 200. */
  z.object({ kind: z.literal('empty') }),
  /** Counts are those of `days` business days ago. */
  z.object({ kind: z.literal('stale'), days: z.number().positive().default(1) }),
  /** Each row of a list comes twice. */
  z.object({ kind: z.literal('duplicate') }),
  /** These rows are left out of lists; without `urns`, every second row. */
  z.object({ kind: z.literal('missing'), urns: z.array(z.string()).optional() }),
  /**
   * Strikes webhooks as they are sent, not requests: the same one `times` more; `hours` of business time late; after
   * the next one (an hour late when none follows); never; with a signature that does not fit.
   */
  z.object({
    kind: z.literal('webhook'),
    how: z.enum(['repeat', 'late', 'reorder', 'lost', 'forged']),
    times: z.number().int().min(1).max(20).default(1),
    hours: z.number().positive().default(6),
  }),
] as const;

const matching = z.object({
  /** Any method when absent. */
  method: z.string().toUpperCase().optional(),
  /** Exact path without query, or a prefix ending in `*`. Any path when absent. */
  path: z.string().startsWith('/').optional(),
  /** How many requests it strikes; until cleared when absent. */
  count: z.number().int().positive().optional(),
});

export const faultSchema = z.discriminatedUnion('kind', effects).and(matching);
export type FaultRequest = z.input<typeof faultSchema>;
export type FaultKind = FaultRequest['kind'];
export type Fault = z.output<typeof faultSchema>;
export type PlacedFault = Fault & { id: string };

const entry = z.union([
  z.object({ placed: faultSchema.and(z.object({ id: z.string() })) }),
  z.object({ struck: z.string() }),
  z.object({ cleared: z.string().nullable() }),
]);

interface Active {
  fault: PlacedFault;
  left: number;
  cleared: boolean;
  /** Called once when the fault is cleared. */
  release: Set<() => void>;
}

export class FaultBox {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #active = new Map<string, Active>();
  /** Used up or cleared faults may still hold requests that they struck. */
  readonly #struck = new WeakMap<Response, Active[]>();
  readonly #holding = new Map<string, Active>();

  constructor(
    dataDir: string,
    /** What this system can do; a fault of another kind is refused instead of being silently without effect. */
    readonly kinds: readonly FaultKind[],
  ) {
    this.#journal = openJournal(join(dataDir, 'faults.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  place(fault: Fault): PlacedFault {
    const placed = { ...fault, id: randomUUID() };
    this.#journal.append({ placed });
    this.#apply({ placed });
    return placed;
  }

  list(): (PlacedFault & { left: number | null })[] {
    return [...this.#active.values()].map(({ fault, left }) => ({
      ...fault,
      left: Number.isFinite(left) ? left : null,
    }));
  }

  /** Clears one fault, or all. Requests it holds go on. @returns how many there were. */
  clear(id: string | null): number {
    const known = new Map([...this.#active, ...this.#holding]);
    const cleared = id === null ? [...known.values()] : [known.get(id)].filter((one) => one !== undefined);
    this.#journal.append({ cleared: id });
    this.#apply({ cleared: id });
    for (const one of cleared) {
      one.cleared = true;
      this.#holding.delete(one.fault.id);
      for (const release of one.release) release();
      one.release.clear();
    }
    return cleared.length;
  }

  /** The faults that strike this request. */
  of(res: Response): PlacedFault[] {
    return (this.#struck.get(res) ?? []).map((one) => one.fault);
  }

  /** The fault of one kind that strikes this request. */
  find<K extends FaultKind>(res: Response, kind: K): Extract<PlacedFault, { kind: K }> | undefined {
    return this.of(res).find((fault): fault is Extract<PlacedFault, { kind: K }> => fault.kind === kind);
  }

  /** Strikes: decides which faults the request meets and what becomes of its answer. */
  readonly strike = (req: Request, res: Response, next: NextFunction): void => {
    const struck = [...this.#active.values()].filter(
      ({ fault }) => fault.kind !== 'webhook' && matches(fault, req),
    );
    for (const { fault } of struck) this.#use(fault);
    this.#struck.set(res, struck);
    const status = this.find(res, 'status');
    const drop = this.find(res, 'drop');
    const hang = struck.find(({ fault }) => fault.kind === 'hang' && fault.processed);
    if (drop && !drop.processed) {
      req.socket.destroy();
      return;
    }
    if (status && !status.processed) {
      answerWith(res, status);
      return;
    }
    if (drop) onEnd(res, () => req.socket.destroy());
    else if (status) onEnd(res, () => answerWith(res, status));
    else if (this.find(res, 'garbage'))
      onEnd(res, () => res.status(200).type('html').send('<!doctype html><p>Hello'));
    else if (hang) onEnd(res, (end) => this.#hold(hang, end));
    next();
  };

  /** The faults that strike a webhook about to be queued. */
  strikeWebhook(): Extract<PlacedFault, { kind: 'webhook' }>[] {
    const struck = [...this.#active.values()].flatMap(({ fault }) =>
      fault.kind === 'webhook' ? [fault] : [],
    );
    for (const fault of struck) this.#use(fault);
    return struck;
  }

  /**
   * Waits out latency and hangs at the point where the request is about to take effect.
   * @returns false when the client left meanwhile: the request then has no effect and no answer.
   */
  async pause(res: Response): Promise<boolean> {
    const latency = this.find(res, 'latency');
    const hang = (this.#struck.get(res) ?? []).find(({ fault }) => fault.kind === 'hang' && !fault.processed);
    if (!latency && !hang) return true;
    return new Promise<boolean>((resolve) => {
      const gone = () => resolve(false);
      const go = () => {
        res.off('close', gone);
        resolve(!res.destroyed);
      };
      res.once('close', gone);
      const afterLatency = () => (hang ? this.#hold(hang, go) : go());
      if (latency) setTimeout(afterLatency, latency.ms);
      else afterLatency();
    });
  }

  /** `pause` as a middleware, for routes that do nothing before they take effect. */
  readonly pauseFirst = async (_req: Request, res: Response, next: NextFunction): Promise<void> => {
    if (await this.pause(res)) next();
  };

  close(): void {
    this.#journal.close();
  }

  #use(fault: PlacedFault): void {
    this.#journal.append({ struck: fault.id });
    this.#apply({ struck: fault.id });
  }

  #hold(active: Active, go: () => void): void {
    if (active.cleared) {
      go();
      return;
    }
    this.#holding.set(active.fault.id, active);
    active.release.add(go);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('placed' in record) {
      const { placed } = record;
      const left = placed.count ?? Number.POSITIVE_INFINITY;
      this.#active.set(placed.id, { fault: placed, left, cleared: false, release: new Set() });
    } else if ('struck' in record) {
      const active = this.#active.get(record.struck);
      if (!active) return;
      active.left -= 1;
      if (active.left <= 0) this.#active.delete(record.struck);
    } else if (record.cleared === null) this.#active.clear();
    else this.#active.delete(record.cleared);
  }
}

function matches(fault: PlacedFault, req: Request): boolean {
  if (fault.method !== undefined && fault.method !== req.method) return false;
  if (fault.path === undefined) return true;
  return fault.path.endsWith('*') ? req.path.startsWith(fault.path.slice(0, -1)) : req.path === fault.path;
}

function answerWith(res: Response, fault: Extract<PlacedFault, { kind: 'status' }>): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.status(fault.status).set(fault.headers);
  if (fault.body === undefined) res.json({ message: 'A fault was asked for.' });
  else if (typeof fault.body === 'string') res.type('html').send(fault.body);
  else res.json(fault.body);
}

/** Replaces the moment the answer would leave; `instead` gets the real end. */
function onEnd(res: Response, instead: (end: () => void) => void): void {
  const end = res.end;
  // Every way Express has of answering comes down to `end`, whose overloads only differ in what they pass on.
  const replacement = (...args: unknown[]): Response => {
    res.end = end;
    instead(() => Reflect.apply(end, res, args));
    return res;
  };
  res.end = replacement as typeof res.end;
}
