/** What is printed at the end can be typed as it stands. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { toReal } from '../../domain/calendar.js';
import type { StackAddresses } from '../../sandbox/programs.js';
import { sparkCommand } from '../output.js';
import { closingReport, keptFarewell, keptReport } from './closing.js';
import { goodFacts } from './promises-fixtures.js';
import { PARTS } from './queue-plan.js';

const WEDNESDAY_AT_TWO = Date.UTC(2026, 3, 1, 14);

// Ten business minutes of a short day pass in half a second.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

/** A clock on which it is Wednesday, 1 April 2026, 14:00 now. */
function clockOf(daySeconds: number) {
  return { realStart: Date.now(), businessStart: WEDNESDAY_AT_TWO, daySeconds };
}

function kept(daySeconds: number): string {
  const clock = clockOf(daySeconds);
  expect(toReal(clock, WEDNESDAY_AT_TWO)).toBe(clock.realStart);
  return keptReport({
    addresses: {
      apiUrl: 'http://127.0.0.1:8080',
      temporalUiUrl: 'http://127.0.0.1:8233',
      sandbox: { urls: {} },
      clock,
    } as StackAddresses,
    orgId: 'an-org',
    folder: '/tmp/a demo',
    tokens: [
      { who: 'admin', token: 'token-of-the-admin' },
      { who: 'member (Distant Harbor)', token: 'token-of-the-member' },
    ],
    trackUrl: 'https://soundcloud.com/distant-harbor/slow-weather',
  });
}

test('a kept demo says with which commands to look at it, what time it is there, and how fast it passes', () => {
  const report = kept(72);
  expect(report).toContain("  npx spark start --data '/tmp/a demo'\n");
  expect(report).toContain("  npx spark doctor --data '/tmp/a demo'\n");
  expect(report).toContain('Wed 1 Apr 2026, 14:0');
  expect(report).toMatch(/a day passes in 72 s, so no queue is drafted by itself any more/);
  // As many days ahead as the API takes, and until noon of that day.
  expect(report).toContain(
    'POST /v1/queues {"date":"2026-04-08"} then asks for that of a later day, up to 7 ahead: you have until 12:00 of that day, now 8 min,',
  );
  expect(report).toContain(
    'PATCH /v1/automations/daily-queue {"status":"enabled"} drafts one each morning again, to be approved from 06:00 to 12:00, for 18 s.',
  );
  const slow = kept(600);
  expect(slow).toContain('now 69 min,');
  expect(slow).toContain('from 06:00 to 12:00, for 150 s.');
});

test('its last words say how it goes on, and what time it will be there', () => {
  const words = keptFarewell('/tmp/a demo', 72);
  expect(words).toMatch(/^Stopped\. Its data folder is \/tmp\/a demo; it goes on with:\n/);
  expect(words).toContain("\n  npx spark start --data '/tmp/a demo'\n");
  expect(words).toContain('an hour from now it is 50 days later there');
  expect(keptFarewell('/tmp/a demo', 600)).toContain('an hour from now it is 6 days later there');
});

test('its example sends the member’s token', () => {
  const lines = kept(72).split('\n');
  const example = lines.slice(lines.findIndex((line) => line.includes('TOKEN=')));
  // `curl` as a shell function that prints what it was given.
  const sent = execFileSync('/bin/sh', ['-c', `curl() { printf '%s\\n' "$@"; }\n${example.join('\n')}`], {
    encoding: 'utf8',
  });
  expect(sent.split('\n')).toEqual(
    expect.arrayContaining([
      'http://127.0.0.1:8080/v1/submissions',
      'Authorization: Bearer token-of-the-member',
      '{"track_url":"https://soundcloud.com/distant-harbor/slow-weather"}',
    ]),
  );
});

test.each(['/tmp/plain-1', '/tmp/with space', "/tmp/it's $HOME"])(
  'a shell reads %s as one word',
  (folder) => {
    const command = sparkCommand('doctor', folder).replace('npx spark', "printf '%s\\n'");
    expect(execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' })).toBe(
      `doctor\n--data\n${folder}\n`,
    );
  },
);

test('the last tables count every kind of workflow and explain the parts that reposts had', () => {
  const facts = goodFacts();
  facts.otherWorkflows = [
    { type: 'monthlyCreditGrantWorkflow', status: 'COMPLETED' },
    { type: 'attributionWorkflow', status: 'RUNNING' },
    { type: 'attributionWorkflow', status: 'RUNNING' },
  ];
  const report = closingReport(facts, []);
  expect(report).toMatch(/monthly credit grant completed +1\n/);
  expect(report).toMatch(/attribution running +2\n/);
  const played = new Set(facts.reposts.flatMap(({ world }) => world ?? []));
  expect(played.size).toBeGreaterThan(3);
  for (const world of played) {
    expect(report).toContain(`    ${world.replaceAll('_', ' ')}: of a supporter ${PARTS[world]}\n`);
  }
});
