import { expect, test } from 'vitest';
import type { DemoFacts } from './facts.js';
import { goodFacts } from './promises-fixtures.js';
import { cameBack, doctorAgrees, grantedOnce, tiersMoved } from './promises-month.js';

const PROMISES = { grantedOnce, tiersMoved, cameBack, doctorAgrees };

function first<T>(list: readonly T[]): T {
  const [found] = list;
  if (found === undefined) throw new Error('The list is empty.');
  return found;
}

function move(facts: DemoFacts, type: string): DemoFacts['moves'][number] {
  return first(facts.moves.filter((one) => one.type === type));
}

const BREAKS: [what: string, promise: keyof typeof PROMISES, spoil: (facts: DemoFacts) => void][] = [
  ['a member without the new grant', 'grantedOnce', (facts) => void first(facts.members).newGrants.pop()],
  [
    'a member granted twice',
    'grantedOnce',
    (facts) => {
      const member = first(facts.members);
      member.newGrants.push(first(member.newGrants));
    },
  ],
  [
    'another amount',
    'grantedOnce',
    (facts) => {
      first(first(facts.members).newGrants).credits += 1;
    },
  ],
  [
    'nobody there',
    'grantedOnce',
    (facts) => {
      facts.members = [];
    },
  ],
  [
    'a promotion a day late',
    'tiersMoved',
    (facts) => {
      move(facts, 'member.promoted').sweeps = 2;
    },
  ],
  [
    'a demotion too early',
    'tiersMoved',
    (facts) => {
      move(facts, 'member.demoted').sweeps = 2;
    },
  ],
  [
    'somebody else promoted too',
    'tiersMoved',
    (facts) => void facts.moves.push({ handle: 'somebody-else', type: 'member.promoted', sweeps: 1 }),
  ],
  ['the mail of the promotion missing', 'tiersMoved', (facts) => void facts.memberMails.shift()],
  [
    'the mail of the promotion twice',
    'tiersMoved',
    (facts) => {
      first(facts.memberMails).arrived = 2;
    },
  ],
  [
    'nobody disconnected',
    'cameBack',
    (facts) => {
      move(facts, 'member.disconnected').type = 'other';
    },
  ],
  [
    'never back',
    'cameBack',
    (facts) => {
      move(facts, 'member.reconnected').type = 'other';
    },
  ],
  ['not asked to reconnect', 'cameBack', (facts) => void facts.memberMails.pop()],
  ['an account left unhealthy', 'cameBack', (facts) => void facts.unhealthyAccounts.push('velvet-lantern')],
  ['a finding', 'doctorAgrees', (facts) => void facts.doctor.push('ledger: something is wrong')],
];

test.each(BREAKS)('%s breaks its promise', (_what, promise, spoil) => {
  expect(PROMISES[promise](goodFacts()).problems).toEqual([]);
  const facts = goodFacts();
  spoil(facts);
  expect(PROMISES[promise](facts).held).toBe(false);
});
