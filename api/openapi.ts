/** The OpenAPI 3.1 document, from the same schemas that validate. Deterministic: api/openapi.json is checked against it. */
import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { KEY_SCOPES } from './caller.js';
import { PLANNER_WEBHOOK_PATH } from './planner-webhook.js';
import { PROBLEM_CODES, type ProblemCode, problemKind } from './problems.js';
import type { AnswerSpec, Route } from './route.js';
import { routes } from './routes.js';
import { webhookEvents } from './webhook-events.js';

const problemSchema = z
  .object({
    type: z.string().describe('Where the code is explained.'),
    title: z.string(),
    status: z.int(),
    code: z.enum(PROBLEM_CODES).describe('Stable; branch on this.'),
    detail: z.string().describe('What is wrong with this request and what to do.'),
    request_id: z.string().describe('As in X-Request-Id; name it when you report a problem.'),
    errors: z
      .array(
        z.object({
          in: z.enum(['body', 'query', 'path', 'header']),
          pointer: z.string().describe('JSON pointer into the body, or the name of the parameter.'),
          detail: z.string(),
        }),
      )
      .optional(),
    submission_id: z.uuid().optional().describe('With duplicate_track: the older submission.'),
    headroom: z.int().optional().describe('With above_headroom: credits the wallet can still take in.'),
    balance: z.int().optional().describe('With insufficient_credits: credits the wallet can spend.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document.' });

/** What any route may answer. */
const EVERYWHERE: readonly ProblemCode[] = [
  'invalid_request',
  'unauthenticated',
  'invalid_token',
  'token_expired',
  'rate_limited',
  'internal',
  'database_unavailable',
  'database_busy',
];

const orgHeader = z.object({
  'X-Org-Id': z.uuid().optional().describe('The org to work in; needed only when you belong to several.'),
});
const keyHeader = z.object({
  'Idempotency-Key': z
    .string()
    .min(1)
    .max(255)
    .describe('New for each creation or command, the same when you repeat it. Kept 24 h.'),
});
const matchHeader = z.object({ 'If-Match': z.string().describe('The ETag of what you read.') });
const optionalMatchHeader = z.object({
  'If-Match': z.string().optional().describe('The ETag of what you read; refused when it is old.'),
});

export function createOpenApiDocument(): ReturnType<OpenApiGeneratorV31['generateDocument']> {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'accessToken', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Access token of a signed-in person (Supabase, or `spark keys login`).',
  });
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: `API key \`spark_<id>_<secret>\`. Scopes: ${KEY_SCOPES.join(', ')}; write includes read.`,
  });
  for (const route of routes) registry.registerPath(toPath(route));
  registry.registerPath({
    method: 'post',
    path: PLANNER_WEBHOOK_PATH,
    operationId: 'takePlannerWebhook',
    tags: ['schedules'],
    summary: 'Webhooks of Influence Planner',
    description:
      'Standard Webhooks: signed with the secret the operator set, over the raw body; stored once for each webhook-id. No token.',
    security: [],
    request: {
      headers: z.object({
        'webhook-id': z.string().describe('The same over retries.'),
        'webhook-timestamp': z.string().describe('Unix seconds, at most 300 off.'),
        'webhook-signature': z.string().describe('`v1,` + base64 HMAC-SHA256 of `id.timestamp.body`.'),
      }),
      body: {
        required: true,
        content: {
          'application/json': {
            schema: z.object({
              type: z.string().describe('schedule.completed, schedule.failed or schedule.unreposted.'),
              data: z.record(z.string(), z.unknown()),
            }),
          },
        },
      },
    },
    responses: {
      202: {
        description: 'Taken, also when no schedule is known or it came before.',
        content: {
          'application/json': {
            schema: z.object({ outcome: z.enum(['taken', 'repeated', 'ignored', 'unknown']) }),
          },
        },
      },
      ...problemResponses([
        'malformed_json',
        'invalid_signature',
        'method_not_allowed',
        'payload_too_large',
        'rate_limited',
        'webhooks_not_configured',
      ]),
    },
  });
  for (const { type, description, example, schema } of webhookEvents) {
    registry.registerWebhook({
      method: 'post',
      path: type,
      operationId: `webhook_${type.replace('.', '_')}`,
      summary: description,
      tags: ['webhooks'],
      request: {
        headers: z.object({
          'webhook-id': z.string().describe("The event's id, the same over retries."),
          'webhook-timestamp': z.string().describe('Unix seconds of the attempt.'),
          'webhook-signature': z.string().describe('`v1,` + base64 HMAC-SHA256 of `id.timestamp.body`.'),
        }),
        body: { required: true, content: { 'application/json': { schema, example } } },
      },
      responses: { '2XX': { description: 'Taken. Anything else is tried again later.' } },
    });
  }
  const document = new OpenApiGeneratorV31(registry.definitions, {
    sortComponents: 'alphabetically',
  }).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Artist Spark',
      version: '1',
      description:
        'A SoundCloud repost network in which every promise is a durable workflow. Errors are RFC 9457 problem documents with a stable `code`; all codes are listed at /problems.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ accessToken: [] }],
  });
  return document;
}

function toPath(route: Route): RouteConfig {
  const headers = [
    ...(route.access === 'signed_in' ? [] : [orgHeader]),
    ...(route.idempotent ? [keyHeader] : []),
    ...(route.ifMatch === true ? [matchHeader] : []),
    ...(route.ifMatch === 'optional' ? [optionalMatchHeader] : []),
  ];
  const successes = Object.entries(route.answers).map(([status, answer]) => [status, toResponse(answer)]);
  return {
    method: route.method,
    path: route.path,
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: [route.description, whoMay(route)].filter((text) => text !== undefined).join('\n\n'),
    security: route.scope === null ? [{ accessToken: [] }] : [{ accessToken: [] }, { apiKey: [] }],
    request: {
      ...(route.params !== undefined && { params: route.params }),
      ...(route.query !== undefined && { query: route.query }),
      headers,
      ...(route.body !== undefined && {
        body: { required: true, content: { 'application/json': { schema: route.body } } },
      }),
    },
    responses: { ...Object.fromEntries(successes), ...problemResponses(problemsOf(route)) },
  };
}

function whoMay(route: Route): string {
  const people = {
    signed_in: 'Anybody signed in.',
    anyone: 'Every member of the org.',
    ops: 'Admins and moderators.',
    admin: 'Admins.',
  }[route.access];
  return route.scope === null ? people : `${people} API keys need ${route.scope}.`;
}

function toResponse({ description, schema, contentType, headers }: AnswerSpec) {
  return {
    description,
    ...(headers !== undefined && {
      headers: z.object(
        Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, z.string().describe(text)])),
      ),
    }),
    ...(schema !== undefined && { content: { [contentType ?? 'application/json']: { schema } } }),
  };
}

/** The refusals of a route. */
function problemsOf(route: Route): ProblemCode[] {
  return [
    ...EVERYWHERE,
    ...(route.access === 'signed_in' ? [] : (['org_required', 'no_membership'] as const)),
    ...(route.access === 'ops' || route.access === 'admin' ? (['forbidden'] as const) : []),
    ...(route.scope === null ? [] : (['invalid_api_key', 'scope_missing'] as const)),
    ...(route.idempotent
      ? (['idempotency_key_required', 'idempotency_in_flight', 'idempotency_mismatch'] as const)
      : []),
    ...(route.body === undefined
      ? []
      : (['malformed_json', 'payload_too_large', 'unsupported_media_type'] as const)),
    ...(route.query !== undefined && 'cursor' in route.query.shape ? (['invalid_cursor'] as const) : []),
    ...(route.problems ?? []),
  ];
}

/** Refusals grouped by status, each named in the description. */
function problemResponses(refusals: readonly ProblemCode[]) {
  const codes = new Set(refusals);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of PROBLEM_CODES.filter((one) => codes.has(one))) {
    const { status } = problemKind(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\`: ${problemKind(code).title}.`).join('\n'),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  );
}
