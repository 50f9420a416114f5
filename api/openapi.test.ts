/** The OpenAPI document: complete, resolvable, up to date, and served with a viewer that needs nobody else. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiWorld, createApiWorld } from '../test/support/api-world.js';
import { problemsMarkdown } from './docs-pages.js';
import { createOpenApiDocument } from './openapi.js';
import { PLANNER_WEBHOOK_PATH } from './planner-webhook.js';
import { PROBLEM_CODES } from './problems.js';
import { routes } from './routes.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(async () => {
  await world?.remove();
});

const document = createOpenApiDocument();
type Operation = {
  operationId?: string;
  responses?: Record<string, unknown>;
  parameters?: { in: string; name: string }[];
};

function everyOperation(): [string, Operation][] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Operation>).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );
}

describe('the OpenAPI document', () => {
  it('is version 3.1 and describes every route once, with unique operation ids', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(
      everyOperation()
        .map(([name]) => name)
        .sort(),
    ).toEqual(
      [...routes.map((route) => `${route.method} ${route.path}`), `post ${PLANNER_WEBHOOK_PATH}`].sort(),
    );
    const ids = everyOperation().map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('declares each path parameter, a success and the common refusals for each operation', () => {
    for (const [name, operation] of everyOperation()) {
      const inPath = [...name.matchAll(/\{(\w+)\}/gu)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect([name, declared.sort()]).toEqual([name, inPath.sort()]);
      const statuses = Object.keys(operation.responses ?? {});
      expect([name, statuses.some((status) => status.startsWith('2'))]).toEqual([name, true]);
      expect(statuses, name).toEqual(expect.arrayContaining(['400', '401', '429', '503']));
    }
  });

  it('refers only to what it defines', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/gu)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      const target = reference
        .replace('#/', '')
        .split('/')
        .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], document);
      expect([reference, target !== undefined]).toEqual([reference, true]);
    }
  });

  it('lists the webhooks with examples that fit their schemas, and every problem code', () => {
    expect(Object.keys(document.webhooks ?? {})).toEqual([
      ...['created', 'decided', 'breached', 'withdrawn', 'supported', 'unsupported'].map(
        (name) => `submission.${name}`,
      ),
      'credits.changed',
      ...['drafted', 'approved', 'published', 'lapsed', 'settled'].map((name) => `queue.${name}`),
      'assignment.published',
      ...['promoted', 'demoted', 'disconnected', 'reconnected', 'reconnect_due'].map(
        (name) => `member.${name}`,
      ),
    ]);
    const problem = document.components?.schemas?.Problem as { properties: { code: { enum: string[] } } };
    expect(problem.properties.code.enum).toEqual(PROBLEM_CODES);
  });

  it('is what the repository holds (npm run generate:openapi)', async () => {
    const stored = await readFile(new URL('./openapi.json', import.meta.url), 'utf8');
    expect(stored).toBe(`${JSON.stringify(document, null, 2)}\n`);
    expect(await readFile(new URL('../docs/problems.md', import.meta.url), 'utf8')).toBe(problemsMarkdown());
  });

  it('is served, with the viewer and the list of problems, under a policy that lets nothing foreign in', async () => {
    const served = await fetch(`${world.url}/openapi.json`);
    expect(await served.json()).toEqual(JSON.parse(JSON.stringify(document)));
    for (const path of [
      '/docs',
      '/docs/',
      '/docs/start.js',
      '/docs/swagger-ui.css',
      '/docs/swagger-ui-bundle.js',
      '/problems',
    ]) {
      const page = await fetch(`${world.url}${path}`);
      expect([path, page.status]).toEqual([path, 200]);
      const policy = page.headers.get('content-security-policy');
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toMatch(/https?:|\*/u);
      if (path.startsWith('/docs') && !path.includes('.'))
        expect(await page.text()).not.toMatch(/<script>|https?:\/\//u);
    }
    expect(served.headers.get('x-powered-by')).toBeNull();
  });
});
