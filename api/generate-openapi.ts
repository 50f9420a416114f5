/**
 * Writes api/openapi.json and docs/problems.md; with --verify it only compares and fails when they are out of date.
 * `npm run generate:openapi`
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { problemsMarkdown } from './docs-pages.js';
import { createOpenApiDocument } from './openapi.js';

const files = [
  { path: fileURLToPath(new URL('./openapi.json', import.meta.url)), text: openApiText() },
  { path: fileURLToPath(new URL('../docs/problems.md', import.meta.url)), text: problemsMarkdown() },
];

function openApiText(): string {
  return `${JSON.stringify(createOpenApiDocument(), null, 2)}\n`;
}

const verify = process.argv.includes('--verify');
for (const { path, text } of files) {
  if (!verify) {
    await writeFile(path, text);
    continue;
  }
  const present = await readFile(path, 'utf8').catch(() => '');
  if (present !== text) {
    console.error(`${path} is out of date. Run: npm run generate:openapi`);
    process.exitCode = 1;
  }
}
