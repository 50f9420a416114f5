/** Pages for people who build on the API: /docs (viewer of the OpenAPI document), /openapi.json, /problems. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { Router } from 'express';
import { createOpenApiDocument } from './openapi.js';
import { PROBLEM_CODES, problemKind } from './problems.js';

const VIEWER_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'] as const;

const page = (title: string, head: string, body: string) =>
  `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${title}</title>\n${head}</head>\n<body>\n${body}</body>\n</html>\n`;

const viewerPage = page(
  'Artist Spark API',
  '<link rel="stylesheet" href="/docs/swagger-ui.css">\n<link rel="icon" href="/docs/favicon-32x32.png">\n',
  '<div id="viewer"></div>\n<script src="/docs/swagger-ui-bundle.js"></script>\n<script src="/docs/start.js"></script>\n',
);

/** A sign-in link carries its token in the fragment, which no server sees; it is taken out of the address at once. */
const startScript = `const token = /^#token=(.+)$/.exec(location.hash)?.[1];
if (token) history.replaceState(null, '', location.pathname);
const ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#viewer',
  deepLinking: true,
  validatorUrl: null,
  onComplete: () => token && ui.preauthorizeApiKey('accessToken', token),
});
`;

export function docsRouter(): Router {
  const router = Router();
  const folder = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const document = JSON.stringify(createOpenApiDocument());
  const problems = problemsPage();
  router.get('/openapi.json', (_request, response) => {
    response.type('application/json').send(document);
  });
  router.get('/problems', (_request, response) => {
    response.type('html').send(problems);
  });
  router.get('/docs', (_request, response) => {
    response.type('html').send(viewerPage);
  });
  router.get('/docs/start.js', (_request, response) => {
    response.type('text/javascript').send(startScript);
  });
  for (const file of VIEWER_FILES) {
    router.get(`/docs/${file}`, (_request, response, next) => {
      response.sendFile(path.join(folder, file), { maxAge: '1d' }, (error?: Error) => error && next(error));
    });
  }
  return router;
}

function problemsPage(): string {
  const rows = PROBLEM_CODES.map((code) => {
    const { status, title, help } = problemKind(code);
    return `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${escapeHtml(title)}</td><td>${escapeHtml(help)}</td></tr>\n`;
  });
  const table = `<table>\n<tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr>\n${rows.join('')}</table>\n`;
  return page('Problems of the Artist Spark API', '', `<h1>Problems</h1>\n${table}`);
}

/** The same list for docs/problems.md. */
export function problemsMarkdown(): string {
  const rows = PROBLEM_CODES.map((code) => {
    const { status, title, help } = problemKind(code);
    return `| \`${code}\` | ${status} | ${title} | ${help.replaceAll('|', '\\|')} |`;
  });
  return [
    '# Problems',
    '',
    'Every refusal of the API is a problem document (RFC 9457, `application/problem+json`) with a stable `code`.',
    'Generated from `api/problems.ts` by `npm run generate:openapi`.',
    '',
    '| code | status | meaning | what to do |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
