/**
 * Recorded histories are replayed with the workflows as they are: a change that a review under way could not take
 * fails here. `npx tsx test/replay/record-histories.ts` records anew, which is right only for workflows that nobody
 * runs yet; others are changed through `patched`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, inject, it } from 'vitest';
import { historyFromJson } from './history-json.js';
import { NEUTRAL, payloadsOf } from './neutral-history.js';

const WORKFLOWS = fileURLToPath(new URL('../../workflows', import.meta.url));

interface Recorded {
  name: string;
  text: string;
  history: unknown;
}

const histories: Recorded[] = readdirSync(WORKFLOWS, { recursive: true, encoding: 'utf8' })
  .filter((file) => path.basename(path.dirname(file)) === 'histories' && file.endsWith('.json'))
  .sort()
  .map((file) => {
    const text = readFileSync(path.join(WORKFLOWS, file), 'utf8');
    return { name: file, text, history: JSON.parse(text) as unknown };
  });

it('there are histories of every workflow', () => {
  const lifecycles = readdirSync(WORKFLOWS).filter((name) => name !== 'shared' && !name.includes('.'));
  expect([...new Set(histories.map(({ name }) => path.dirname(path.dirname(name))))]).toEqual(lifecycles);
});

describe.each(histories)('$name', ({ text, history }) => {
  it('is followed by the workflow as it is now', async () => {
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: inject('workflowBundle') } },
      historyFromJson(history),
    );
  });

  it('tells nothing of machines and people', () => {
    expect(new Set(text.match(/"identity": *"[^"]*"/g))).toEqual(new Set([`"identity": "${NEUTRAL}"`]));
    const everything = [text, ...payloadsOf(history)].join('\n');
    const addresses = /[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}/gi;
    const paths = /file:\/\/|\/(home|root|Users|work|tmp|var)\//g;
    const processes = /\b\d+@[\w-]+/g;
    expect([addresses, paths, processes].flatMap((trace) => everything.match(trace) ?? [])).toEqual([]);
  });
});

describe('a review with its steps in another order', () => {
  it('cannot follow a recorded history', async () => {
    const recorded = histories.find(({ name }) => name.endsWith('rejected.json'));
    const replay = Worker.runReplayHistory(
      { workflowsPath: fileURLToPath(new URL('./swapped-review.ts', import.meta.url)) },
      historyFromJson(recorded?.history),
    );
    await expect(replay).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
