import { expect, test } from 'vitest';
import { HOUR_MS } from '../../domain/calendar.js';
import type { DemoFacts } from './facts.js';
import { goodFacts } from './promises-fixtures.js';
import { oneWorkflowEach, queuesAsApproved, skipReplaced, supportersTold } from './promises-queues.js';
import type { QueueFact, RepostFact } from './queue-facts.js';
import type { World } from './queue-plan.js';

const PROMISES = { oneWorkflowEach, queuesAsApproved, skipReplaced, supportersTold };

function queue({ queues }: DemoFacts, day: number): QueueFact {
  const found = queues[day - 1];
  if (found === undefined) throw new Error(`There is no queue of day ${day}.`);
  return found;
}

function repost({ reposts }: DemoFacts, world: World): RepostFact {
  const found = reposts.find((one) => one.world === world);
  if (found === undefined) throw new Error(`No repost is ${world}.`);
  return found;
}

function substitute({ reposts }: DemoFacts): RepostFact {
  const found = reposts.find(({ replacementFor }) => replacementFor !== null);
  if (found === undefined) throw new Error('Nobody steps in.');
  return found;
}

const BREAKS: [what: string, promise: keyof typeof PROMISES, spoil: (facts: DemoFacts) => unknown][] = [
  ['a queue missing', 'queuesAsApproved', ({ queues }) => queues.pop()],
  ['a queue too many', 'queuesAsApproved', (facts) => facts.queues.push({ ...queue(facts, 1), date: 'x' })],
  [
    'a queue that lapsed though approved',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 2).status = 'lapsed';
    },
  ],
  [
    'a third queue that went out',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).status = 'published';
    },
  ],
  [
    'another approver',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 1).approvedBy = facts.people.admin;
    },
  ],
  [
    'an approval after the cut-off',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 1).approveBy = (queue(facts, 1).approvedAt ?? 0) - 1;
    },
  ],
  [
    'an approved assignment that did not go out',
    'queuesAsApproved',
    (facts) => {
      facts.reposts.splice(facts.reposts.indexOf(repost(facts, 'kept')), 1);
      queue(facts, 1).filledSlots -= 1;
    },
  ],
  [
    'an assignment nobody approved',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 2).approved.pop();
    },
  ],
  [
    'one that was dropped and went out',
    'queuesAsApproved',
    (facts) => queue(facts, 1).dropped.push(queue(facts, 1).approved[0] ?? ''),
  ],
  [
    'a number that does not fit',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 1).filledSlots += 1;
    },
  ],
  [
    'two publications',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 1).events.push('queue.published');
    },
  ],
  [
    'a queue that is not settled',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 2).settledAt = null;
    },
  ],
  [
    'a workflow that goes on',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 2).workflow = 'RUNNING';
    },
  ],
  [
    'a lapse before the cut-off',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).closedAt = (queue(facts, 3).approveBy ?? 0) - HOUR_MS;
    },
  ],
  [
    'a lapse long after it',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).closedAt = (queue(facts, 3).approveBy ?? 0) + 5 * HOUR_MS;
    },
  ],
  [
    'something of the lapsed queue that went out',
    'queuesAsApproved',
    (facts) => facts.reposts.push({ ...repost(facts, 'kept'), date: queue(facts, 3).date }),
  ],
  [
    'tracks that stay in the lapsed queue',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).shifted = [];
    },
  ],
  [
    'another reason',
    'queuesAsApproved',
    (facts) => {
      for (const shift of queue(facts, 3).shifted) shift.reason = 'Nobody was free.';
    },
  ],
  [
    'a lapse nobody is told of',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).told = [];
    },
  ],
  [
    'a workflow of a lapsed queue that goes on',
    'queuesAsApproved',
    (facts) => {
      queue(facts, 3).workflow = 'RUNNING';
    },
  ],
  [
    'an assignment without workflow',
    'oneWorkflowEach',
    (facts) => {
      repost(facts, 'kept').workflow = null;
    },
  ],
  [
    'one that failed in Temporal',
    'oneWorkflowEach',
    (facts) => {
      repost(facts, 'absent').workflow = { status: 'FAILED', runs: 1 };
    },
  ],
  [
    'one that was started again',
    'oneWorkflowEach',
    (facts) => {
      repost(facts, 'absent').workflow = { status: 'COMPLETED', runs: 2 };
    },
  ],
  [
    'one that is not settled',
    'oneWorkflowEach',
    (facts) => {
      repost(facts, 'hidden').settledAt = null;
    },
  ],
  ['a stray workflow', 'oneWorkflowEach', ({ strayReposts }) => strayReposts.push('assignment:x:y')],
  [
    'nothing published',
    'oneWorkflowEach',
    (facts) => {
      facts.reposts = [];
    },
  ],
  ['a supporter not told', 'supportersTold', (facts) => repost(facts, 'kept').mails.pop()],
  [
    'a supporter told twice',
    'supportersTold',
    (facts) => {
      for (const mail of repost(facts, 'scheduled').mails) mail.arrived = 2;
    },
  ],
  [
    'a mail that failed',
    'supportersTold',
    (facts) => {
      for (const mail of repost(facts, 'scheduled').mails) mail.status = 'failed';
    },
  ],
  ['a silent one not reminded', 'supportersTold', (facts) => repost(facts, 'absent').mails.pop()],
  [
    'one reminded who had handed in the proof',
    'supportersTold',
    (facts) => repost(facts, 'hidden').mails.push({ template: 'proof_reminder', status: 'sent', arrived: 1 }),
  ],
  [
    'nobody silent',
    'supportersTold',
    (facts) => {
      facts.reposts = facts.reposts.filter(({ world }) => world !== 'absent');
    },
  ],
  [
    'nobody steps in',
    'skipReplaced',
    (facts) => {
      substitute(facts).replacementFor = null;
    },
  ],
  [
    'two step in',
    'skipReplaced',
    (facts) => {
      repost(facts, 'hidden').replacementFor = repost(facts, 'skipped').id;
    },
  ],
  [
    'the same one steps in',
    'skipReplaced',
    (facts) => {
      substitute(facts).supporterId = repost(facts, 'skipped').supporterId;
    },
  ],
  [
    'somebody steps in on the next day',
    'skipReplaced',
    (facts) => {
      substitute(facts).date = queue(facts, 2).date;
    },
  ],
  [
    'somebody steps in later',
    'skipReplaced',
    (facts) => {
      substitute(facts).publishedAt = (repost(facts, 'skipped').settledAt ?? 0) + HOUR_MS;
    },
  ],
  [
    'the substitute fails',
    'skipReplaced',
    (facts) => {
      substitute(facts).status = 'failed';
    },
  ],
  [
    'nobody skips',
    'skipReplaced',
    (facts) => {
      repost(facts, 'skipped').world = 'kept';
    },
  ],
];

test.each(BREAKS)('%s breaks its promise', (_what, promise, spoil) => {
  expect(PROMISES[promise](goodFacts()).problems).toEqual([]);
  const facts = goodFacts();
  spoil(facts);
  expect(PROMISES[promise](facts).held).toBe(false);
});
