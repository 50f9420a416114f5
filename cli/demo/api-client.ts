/** Speaks to the HTTP API as a person would: a token, an org, an Idempotency-Key for everything that changes something. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { InVainError, until } from './patience.js';

export interface ApiAnswer {
  status: number;
  body: unknown;
  /** The stable code of a refusal; '' in an answer that is none. */
  code: string;
  location: string | null;
  /** True when an earlier answer was given again for the same Idempotency-Key. */
  replayed: boolean;
  etag: string | null;
  retryAfterMs: number;
}

export interface SendOptions {
  /** Default: a new one. null sends none. */
  key?: string | null;
  ifMatch?: string;
  /** Sent as it is instead of JSON. */
  raw?: string;
}

/** How a command ended. */
export interface CommandEnd {
  status: 'applied' | 'refused';
  code: string;
  /** Why it was refused, in words. */
  detail: string;
  /** True when the API answered 202 and the command was applied or refused later. */
  later: boolean;
}

const TIMEOUT_MS = 30_000;
/** A killed worker may hold a step for as long as the step's time limit before it is tried again. */
const COMMAND_MS = 90_000;
const problem = z.object({ code: z.string(), detail: z.string().optional() });
const commandRow = z.object({
  status: z.enum(['pending', 'applied', 'refused']),
  code: z.string().nullable(),
});

export class ApiClient {
  readonly #url: string;
  readonly #orgId: string;
  readonly #signal: AbortSignal;
  readonly token: string | null;

  constructor(options: { url: string; orgId: string; token: string | null; signal: AbortSignal }) {
    this.#url = options.url;
    this.#orgId = options.orgId;
    this.#signal = options.signal;
    this.token = options.token;
  }

  /** Sends a request; a refusal is an answer like any other. @throws when the API cannot be reached. */
  async send(method: string, path: string, body?: unknown, options: SendOptions = {}): Promise<ApiAnswer> {
    const key = options.key === undefined ? randomUUID() : options.key;
    const content = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await this.#fetch(path, {
      method,
      headers: {
        'x-org-id': this.#orgId,
        ...(this.token !== null && { authorization: `Bearer ${this.token}` }),
        ...(content !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'POST' && key !== null && { 'idempotency-key': key }),
        ...(options.ifMatch !== undefined && { 'if-match': options.ifMatch }),
      },
      ...(content !== undefined && { body: content }),
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = await response.text();
    const answer: unknown = text === '' ? null : JSON.parse(text);
    const refusal = problem.safeParse(answer);
    return {
      status: response.status,
      body: answer,
      code: response.status >= 400 && refusal.success ? refusal.data.code : '',
      location: response.headers.get('location'),
      replayed: response.headers.get('idempotency-replayed') === 'true',
      etag: response.headers.get('etag'),
      retryAfterMs: Number(response.headers.get('retry-after') ?? '1') * 1_000,
    };
  }

  async #fetch(path: string, request: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#url}${path}`, request);
    } catch (error) {
      this.#signal.throwIfAborted();
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new InVainError(
        `The API does not answer ${request.method} ${path} (${reason instanceof Error ? reason.message : reason}). Look at its log.`,
      );
    }
  }

  /** Sends a request that must succeed. @returns the body. @throws InVainError naming the refusal. */
  async must<S extends z.ZodType>(
    schema: S,
    method: string,
    path: string,
    body?: unknown,
    options?: SendOptions,
  ): Promise<z.output<S>> {
    const answer = await this.send(method, path, body, options);
    if (answer.status >= 300) throw unexpected(`${method} ${path}`, answer);
    return schema.parse(answer.body);
  }

  /**
   * Sends a command and sees it through: repeated under its key while the API asks for it, followed at
   * /v1/commands/{id} when it was taken for later.
   */
  async command(path: string, body?: unknown): Promise<CommandEnd> {
    const key = randomUUID();
    const patience = {
      signal: this.#signal,
      withinMs: COMMAND_MS,
      hint: 'Look at its review in the Temporal UI and at the logs of API and worker.',
    };
    let notBefore = 0;
    const answer = await until(
      `an answer to POST ${path}`,
      async () => {
        if (Date.now() < notBefore) return undefined;
        const given = await this.send('POST', path, body, { key });
        if (given.status !== 503 && given.code !== 'idempotency_in_flight') return given;
        notBefore = Date.now() + given.retryAfterMs;
        return undefined;
      },
      patience,
    );
    if (answer.status === 200) return { status: 'applied', code: '', detail: '', later: false };
    if (answer.status === 409 || answer.status === 422) {
      return { status: 'refused', code: answer.code, detail: detailOf(answer), later: false };
    }
    const { location } = answer;
    if (answer.status !== 202 || location === null) throw unexpected(`POST ${path}`, answer);
    const row = await until(
      `the outcome of ${location}`,
      async () => {
        const now = await this.must(commandRow, 'GET', location);
        return now.status !== 'pending' && { status: now.status, code: now.code ?? '' };
      },
      patience,
    );
    return { ...row, detail: '', later: true };
  }
}

function unexpected(request: string, answer: ApiAnswer): InVainError {
  const { status, code } = answer;
  return new InVainError(
    `${request} was answered with ${status} ${code}. ${detailOf(answer)} Look at the log of the API.`,
  );
}

function detailOf({ body }: ApiAnswer): string {
  return problem.safeParse(body).data?.detail ?? '';
}
