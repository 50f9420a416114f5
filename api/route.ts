/**
 * A route, declared once: what it takes, who may use it, what it answers, and the function that does it. The router
 * validates with these schemas and the OpenAPI document is generated from them, so the two cannot disagree.
 */
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Access, KeyScope } from './caller.js';
import type { AppDeps } from './deps.js';
import { type FieldFault, Problem, type ProblemCode } from './problems.js';
import type { Scope } from './scope.js';

/** `json` answers are sent by the router; a `raw` route writes the response itself (streams, pages). */
export interface Answer<Body> {
  /** Left out: the first status of the route's `answers`. */
  status?: number;
  body?: Body;
  headers?: Record<string, string>;
}

export interface AnswerSpec {
  description: string;
  schema?: z.ZodType;
  contentType?: string;
  headers?: Record<string, string>;
}

/** What the OpenAPI document says of a route. */
export interface RouteDocs {
  operationId: string;
  tag: string;
  summary: string;
  description?: string;
  answers: Record<number, AnswerSpec>;
  /** Refusals of this route's own; those of every route are added. */
  problems?: readonly ProblemCode[];
}

export interface RouteRules {
  method: 'get' | 'post' | 'patch' | 'put' | 'delete';
  /** OpenAPI form: `/v1/members/{member_id}`. */
  path: string;
  /** `signed_in`: works without an org. */
  access: Access | 'signed_in';
  /** Scope an API key needs (`write` includes `read`); null = people only. */
  scope: KeyScope | null;
  /** Takes an Idempotency-Key: on by default for POST. */
  idempotent?: boolean;
  /** Takes If-Match: required, or heeded when it is sent. */
  ifMatch?: boolean | 'optional';
}

/** What every handler is given. */
export interface RequestContext<P, Q, B> {
  request: Request;
  response: Response;
  deps: AppDeps;
  params: P;
  query: Q;
  body: B;
}

export interface ScopedContext<P, Q, B> extends RequestContext<P, Q, B> {
  scope: Scope;
}

export interface LongContext<P, Q, B> extends RequestContext<P, Q, B> {
  /** Opens the caller's scope: one short transaction under row-level security. */
  inScope<T>(work: (scope: Scope) => Promise<T>): Promise<T>;
  /** The Idempotency-Key of an idempotent route. */
  idempotencyKey: string;
}

type NoParams = z.ZodObject<Record<never, never>>;

interface Schemas<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> {
  params?: P;
  query?: Q;
  body?: B;
}

/** A route whose handler runs inside one transaction. */
export type RouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> = RouteRules &
  RouteDocs &
  Schemas<P, Q, B> & {
    handle(context: ScopedContext<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer<unknown>>;
  };

/** A route that waits for something else (Temporal, a stream) and opens transactions of its own. */
export type LongRouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> = RouteRules &
  RouteDocs &
  Schemas<P, Q, B> & {
    handle(context: LongContext<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer<unknown> | 'sent'>;
  };

/** A route as the router and the OpenAPI generator see it. */
export interface Route extends RouteRules, RouteDocs {
  idempotent: boolean;
  params: z.ZodObject | undefined;
  query: z.ZodObject | undefined;
  body: z.ZodType | undefined;
  /** Validates the request; the result runs it. @throws Problem invalid_request */
  read(request: Request): ReadRequest;
}

/** A request of the right shape, ready to run. */
export type ReadRequest =
  | { kind: 'scoped'; run(base: Base, scope: Scope): Promise<Answer<unknown>> }
  | {
      kind: 'long';
      run(base: Base, inScope: InScope, idempotencyKey: string): Promise<Answer<unknown> | 'sent'>;
    };

export type InScope = <T>(work: (scope: Scope) => Promise<T>) => Promise<T>;

interface Base {
  request: Request;
  response: Response;
  deps: AppDeps;
}

export function defineRoute<
  P extends z.ZodObject = NoParams,
  Q extends z.ZodObject = NoParams,
  B extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<P, Q, B>): Route {
  return {
    ...common(spec),
    read: (request) => {
      const input = readInput<P, Q, B>(spec, request);
      return { kind: 'scoped', run: (base, scope) => spec.handle({ ...base, ...input, scope }) };
    },
  };
}

export function defineLongRoute<
  P extends z.ZodObject = NoParams,
  Q extends z.ZodObject = NoParams,
  B extends z.ZodType = z.ZodUndefined,
>(spec: LongRouteSpec<P, Q, B>): Route {
  return {
    ...common(spec),
    read: (request) => {
      const input = readInput<P, Q, B>(spec, request);
      return {
        kind: 'long',
        run: (base, inScope, idempotencyKey) => spec.handle({ ...base, ...input, inScope, idempotencyKey }),
      };
    },
  };
}

function common(
  spec: RouteRules & RouteDocs & Schemas<z.ZodObject, z.ZodObject, z.ZodType>,
): Omit<Route, 'read'> {
  return {
    ...spec,
    idempotent: spec.idempotent ?? spec.method === 'post',
    params: spec.params,
    query: spec.query,
    body: spec.body,
  };
}

function readInput<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  schemas: Schemas<P, Q, B>,
  request: Request,
): { params: z.output<P>; query: z.output<Q>; body: z.output<B> } {
  const faults: FieldFault[] = [];
  const params = check(schemas.params ?? NOTHING, { ...request.params }, 'path', faults);
  const query = check(schemas.query ?? NOTHING, { ...request.query }, 'query', faults);
  const body = check(schemas.body ?? NO_BODY, request.body, 'body', faults);
  if (faults.length > 0) throw new Problem('invalid_request', { errors: faults, detail: summary(faults) });
  return { params: params as z.output<P>, query: query as z.output<Q>, body: body as z.output<B> };
}

const NOTHING = z.strictObject({});
const NO_BODY = z.union([z.undefined(), z.strictObject({})], { error: 'This resource takes no body.' });

function check(schema: z.ZodType, value: unknown, place: FieldFault['in'], faults: FieldFault[]): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) faults.push(...toFaults(issue, place, value));
  return undefined;
}

/** Codes of issues that mean, where nothing was sent, that something is missing. */
const TELLS_OF_ABSENCE: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value', 'invalid_union']);

/** What was sent at a path; undefined when nothing was. */
function sentAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inside, part) =>
      typeof inside === 'object' && inside !== null && Object.hasOwn(inside, part)
        ? (inside as Record<PropertyKey, unknown>)[part]
        : undefined,
    value,
  );
}

/** The words of zod where a schema has none of its own, put for people. */
function inWords(issue: z.core.$ZodIssue, value: unknown): string {
  const { code, message } = issue;
  if (!message.startsWith('Invalid ') || !TELLS_OF_ABSENCE.has(code)) return message;
  if (sentAt(value, issue.path) === undefined) {
    return code === 'invalid_value' ? message.replace(/^Invalid \w+/, 'is missing') : 'is missing';
  }
  return message.replace(/^Invalid input: expected (\w+), received NaN$/, 'Invalid input: expected $1');
}

/** Faults of one zod issue; messages name expectations only, never what was sent. */
function toFaults(issue: z.core.$ZodIssue, place: FieldFault['in'], value: unknown): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, 20).map((key) => ({
      in: place,
      pointer: pointerTo([...issue.path, key], place),
      detail: 'There is no such field.',
    }));
  }
  return [{ in: place, pointer: pointerTo(issue.path, place), detail: inWords(issue, value) }];
}

function pointerTo(path: readonly PropertyKey[], place: FieldFault['in']): string {
  if (place !== 'body') return path.map(String).join('.');
  return path
    .map((part) => `/${String(part).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

function summary(faults: readonly FieldFault[]): string {
  const [first] = faults;
  if (first === undefined) return '';
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more, see errors)` : '';
  return `${first.in} ${first.pointer || '(whole)'}: ${first.detail}${more}`;
}
