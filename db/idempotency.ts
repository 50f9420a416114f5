/** Kept answers per org, caller and Idempotency-Key. Call these as the login, not as the caller (see api_functions). */
import { sql } from 'kysely';
import type { Trx } from './client.js';
import { jsonb } from './json.js';

export interface KeyedRequest {
  orgId: string;
  /** `user:<id>` or `key:<id>`. */
  caller: string;
  key: string;
}

export interface KeptAnswer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

export type KeyClaim =
  | { outcome: 'claimed' }
  | { outcome: 'replay'; answer: KeptAnswer }
  | { outcome: 'in_flight' }
  | { outcome: 'mismatch' };

/** Claims the key for this request; commit before the work begins, so that others see it. */
export async function claimKey(
  trx: Trx,
  request: KeyedRequest & { method: string; path: string; requestHash: string },
): Promise<KeyClaim> {
  const { orgId, caller, key, method, path, requestHash } = request;
  const { rows } = await sql<{
    outcome: 'claimed' | 'replay' | 'in_flight' | 'mismatch';
    response_status: number | null;
    response_headers: Record<string, string> | null;
    response_body: unknown;
  }>`select * from private.api_idempotency_begin(${orgId}, ${caller}, ${key}, ${method}, ${path}, ${requestHash})`.execute(
    trx,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('private.api_idempotency_begin gave no outcome.');
  if (row.outcome !== 'replay') return { outcome: row.outcome };
  return {
    outcome: 'replay',
    answer: {
      status: row.response_status ?? 200,
      body: row.response_body ?? undefined,
      headers: row.response_headers ?? {},
    },
  };
}

/** Keeps the answer; in the transaction that makes the change. */
export async function completeKey(trx: Trx, request: KeyedRequest & { answer: KeptAnswer }): Promise<void> {
  const { orgId, caller, key, answer } = request;
  await sql`select private.api_idempotency_finish(
    ${orgId}, ${caller}, ${key}, ${answer.status}::integer, ${jsonb(answer.headers)}, ${jsonb(answer.body ?? null)}
  )`.execute(trx);
}

/** Frees the key, so that the same request may be tried again. */
export async function releaseKey(trx: Trx, { orgId, caller, key }: KeyedRequest): Promise<void> {
  await sql`select private.api_idempotency_release(${orgId}, ${caller}, ${key})`.execute(trx);
}
