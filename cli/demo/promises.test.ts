import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import type { DemoFacts, ReviewFacts, WorkflowFact } from './facts.js';
import { judgePromises } from './promises.js';
import { goodFacts } from './promises-fixtures.js';

/** Start of the title of each promise, in the words of the closing table. */
type Promised =
  | 'Members have'
  | 'Every accepted'
  | 'Bad requests'
  | 'Every submission gets one decision'
  | 'Every submission is answered'
  | 'Ops are warned'
  | 'A breach goes'
  | 'The clock stands still'
  | 'A decision sent as a Signal'
  | 'Withdrawn'
  | 'A worker killed'
  | 'Each mail'
  | 'Every approved track'
  | 'Genres are read'
  | 'Database and Temporal'
  | 'Nothing is left lying';

function review(facts: DemoFacts, track: string): ReviewFacts {
  const found = facts.reviews.find(({ planned }) => planned?.track === track);
  if (!found) throw new Error(`There is no review of ${track}.`);
  return found;
}

function workflow(facts: DemoFacts, track: string): WorkflowFact {
  const found = review(facts, track).workflow;
  if (!found) throw new Error(`${track} has no workflow.`);
  return found;
}

function last<T>(list: readonly T[]): T {
  const found = list.at(-1);
  if (found === undefined) throw new Error('The list is empty.');
  return found;
}

function broken(facts: DemoFacts): string[] {
  return judgePromises(facts)
    .filter((promise) => !promise.held)
    .map((promise) => promise.title);
}

test('facts of a demo that went well keep every promise', () => {
  expect(judgePromises(goodFacts()).flatMap((promise) => promise.problems)).toEqual([]);
  expect(judgePromises(goodFacts())).toHaveLength(29);
});

const BREAKS: [what: string, promise: Promised, spoil: (facts: DemoFacts) => void][] = [
  [
    'a member in the wrong tier',
    'Members have',
    (facts) => {
      last(facts.members).tier = 'T1';
    },
  ],
  [
    'a member without genre',
    'Members have',
    (facts) => {
      last(facts.members).genres = 0;
    },
  ],
  [
    'a member without grant',
    'Members have',
    (facts) => {
      last(facts.members).firstGrant = null;
    },
  ],
  [
    'a member missing',
    'Members have',
    (facts) => {
      facts.members.pop();
    },
  ],
  [
    'no workflow for a row',
    'Every accepted',
    (facts) => {
      review(facts, 'Undertow').workflow = null;
    },
  ],
  [
    'a review that needed a second run',
    'Every accepted',
    (facts) => {
      workflow(facts, 'Undertow').runs = 2;
    },
  ],
  [
    'a row nobody asked for',
    'Every accepted',
    (facts) => {
      review(facts, 'Undertow').planned = undefined;
    },
  ],
  [
    'a workflow without row',
    'Every accepted',
    (facts) => {
      facts.strayWorkflows.push('submission:x:y');
    },
  ],
  [
    'an accepted submission lost',
    'Every accepted',
    (facts) => {
      facts.reviews.pop();
    },
  ],
  [
    'another code',
    'Bad requests',
    (facts) => {
      last(facts.refusals).seen.code = 'invalid_request';
    },
  ],
  [
    'a bad request accepted',
    'Bad requests',
    (facts) => {
      last(facts.refusals).seen = { status: 201, code: '' };
    },
  ],
  [
    'another status',
    'Every submission gets one decision',
    (facts) => {
      review(facts, 'Undertow').status = 'pending';
    },
  ],
  [
    'nobody named as decider',
    'Every submission gets one decision',
    (facts) => {
      review(facts, 'Undertow').decidedBy = null;
    },
  ],
  [
    'two final events',
    'Every submission gets one decision',
    ({ reviews }) => {
      for (const { events } of reviews) events.push(last(events));
    },
  ],
  [
    'a decision applied twice',
    'Every submission gets one decision',
    (facts) => {
      const { commands } = review(facts, 'After Hours');
      commands.push(last(commands));
    },
  ],
  [
    'a rejection without reason',
    'Every submission gets one decision',
    (facts) => {
      review(facts, 'Tidal Maps').rejectReason = 'No.';
    },
  ],
  [
    'a breach that is not on record',
    'Every submission is answered',
    (facts) => {
      review(facts, 'Ninety Floors').events.shift();
    },
  ],
  [
    'a breach within the time',
    'Every submission is answered',
    (facts) => {
      review(facts, 'Undertow').events.unshift({ type: 'submission.breached', at: facts.now, status: null });
    },
  ],
  [
    'a workflow that counts otherwise',
    'Every submission is answered',
    (facts) => {
      workflow(facts, 'Undertow').slaElapsedMs = 0;
    },
  ],
  [
    'no answer at all',
    'Every submission is answered',
    (facts) => {
      review(facts, 'Undertow').decidedAt = null;
    },
  ],
  [
    'a warning that never came',
    'Ops are warned',
    (facts) => {
      review(facts, 'Corner Store Tapes').notifications = [];
    },
  ],
  [
    'a warning to others than the owner',
    'Ops are warned',
    (facts) => {
      for (const notice of review(facts, 'Corner Store Tapes').notifications)
        notice.userId = facts.people.admin;
    },
  ],
  [
    'a warning too late',
    'Ops are warned',
    (facts) => {
      for (const notice of review(facts, 'Corner Store Tapes').notifications) notice.at += 2 * HOUR_MS;
    },
  ],
  [
    'a warning too early',
    'Ops are warned',
    (facts) => {
      for (const notice of review(facts, 'Corner Store Tapes').notifications) notice.at -= HOUR_MS;
    },
  ],
  [
    'an admin not told',
    'A breach goes',
    (facts) => {
      facts.admins.push('another-admin');
    },
  ],
  [
    'no Slack message',
    'A breach goes',
    (facts) => {
      review(facts, 'Ninety Floors').slack.pop();
    },
  ],
  [
    'an alarm a day late',
    'A breach goes',
    (facts) => {
      const [first] = review(facts, 'Ninety Floors').events;
      if (first) first.at += DAY_MS;
    },
  ],
  [
    'a breach that is not shown',
    'A breach goes',
    (facts) => {
      for (const wait of review(facts, 'Ninety Floors').seenWaits) wait.breached = false;
    },
  ],
  [
    'a clock that ran on',
    'The clock stands still',
    (facts) => {
      for (const wait of review(facts, 'First Light').seenWaits) wait.paused = false;
    },
  ],
  [
    'a clock that starts anew',
    'The clock stands still',
    (facts) => {
      const after = review(facts, 'First Light').seenWaits.findLast((wait) => wait.stage === 'decision');
      if (after) after.dueAt = after.since + DAY_MS;
    },
  ],
  [
    'no reminder',
    'The clock stands still',
    (facts) => {
      review(facts, 'First Light').mails.splice(1, 1);
    },
  ],
  [
    'an Update instead of a Signal',
    'A decision sent as a Signal',
    (facts) => {
      Object.assign(workflow(facts, 'Northern Signal'), { signals: [], updates: ['decide'] });
    },
  ],
  [
    'a Signal without effect',
    'A decision sent as a Signal',
    (facts) => {
      review(facts, 'Northern Signal').status = 'new';
    },
  ],
  [
    'a slot that is kept',
    'Withdrawn',
    (facts) => {
      review(facts, 'Slow Weather').slotReturned = false;
    },
  ],
  [
    'a slot that still counts',
    'Withdrawn',
    (facts) => {
      const { memberId } = review(facts, 'Slow Weather');
      for (const member of facts.members) if (member.id === memberId) member.submissionsThisMonth = 1;
    },
  ],
  [
    'a withdrawal that never closes',
    'Withdrawn',
    (facts) => {
      review(facts, 'Slow Weather').closedAt = null;
    },
  ],
  [
    'the killed worker still at work',
    'A worker killed',
    (facts) => {
      facts.workerPid = 100;
    },
  ],
  [
    'no worker',
    'A worker killed',
    (facts) => {
      facts.workerPid = null;
    },
  ],
  [
    'a review nobody carried on',
    'A worker killed',
    (facts) => {
      workflow(facts, 'Tidal Maps').workers.pop();
    },
  ],
  [
    'a review that failed',
    'A worker killed',
    (facts) => {
      workflow(facts, 'Undertow').status = 'FAILED';
    },
  ],
  [
    'a mail twice',
    'Each mail',
    (facts) => {
      last(review(facts, 'Tidal Maps').mails).arrived = 2;
    },
  ],
  [
    'a mail that never arrived',
    'Each mail',
    (facts) => {
      last(review(facts, 'Tidal Maps').mails).arrived = 0;
    },
  ],
  [
    'a mail that is not due',
    'Each mail',
    (facts) => {
      review(facts, 'Slow Weather').mails.push({
        template: 'submission_rejected',
        status: 'sent',
        arrived: 1,
      });
    },
  ],
  [
    'a mail nobody wrote',
    'Each mail',
    (facts) => {
      facts.strayMails = 1;
    },
  ],
  [
    'an expired proposal',
    'Every approved track',
    (facts) => {
      review(facts, 'After Hours').proposals.splice(1);
    },
  ],
  [
    'a proposal without targets',
    'Every approved track',
    (facts) => {
      last(review(facts, 'Undertow').proposals).targets = 0;
    },
  ],
  [
    'no proposal',
    'Every approved track',
    (facts) => {
      review(facts, 'Undertow').proposals = [];
    },
  ],
  [
    'a wrong genre',
    'Genres are read',
    (facts) => {
      review(facts, 'Undertow').family = 'Rock';
    },
  ],
  [
    'an unknown genre nobody was asked about',
    'Genres are read',
    (facts) => {
      review(facts, 'Rain on a Tin Roof').flags = [];
    },
  ],
  [
    'a wait Temporal does not show',
    'Database and Temporal',
    (facts) => {
      workflow(facts, 'After Hours').waitingOn = 'ops';
    },
  ],
  [
    'another deadline in Temporal',
    'Database and Temporal',
    (facts) => {
      workflow(facts, 'After Hours').dueAt = facts.now;
    },
  ],
  [
    'an open row that waits for nothing',
    'Database and Temporal',
    (facts) => {
      review(facts, 'After Hours').wait = null;
    },
  ],
  [
    'a closed row whose review runs',
    'Database and Temporal',
    (facts) => {
      workflow(facts, 'Tidal Maps').status = 'RUNNING';
    },
  ],
  [
    'an event in the outbox',
    'Nothing is left lying',
    (facts) => {
      facts.outbox.unrelayed = 1;
    },
  ],
  [
    'a command without outcome',
    'Nothing is left lying',
    (facts) => {
      facts.pendingCommands = 1;
    },
  ],
  [
    'a ledger that does not add up',
    'Nothing is left lying',
    (facts) => {
      facts.ledgerViolations.push('balance_chain');
    },
  ],
];

test.each(BREAKS)('%s breaks the promise: %s …', (_what, promise, spoil) => {
  const facts = goodFacts();
  spoil(facts);
  expect(
    broken(facts).some((title) => title.startsWith(promise)),
    broken(facts).join('; '),
  ).toBe(true);
});

test('an alarm that fell into the outage may be as late as the next worker', () => {
  const facts = goodFacts();
  const alarm = review(facts, 'Ninety Floors').events[1];
  if (!alarm) throw new Error('There is no second alarm.');
  facts.outage = { from: alarm.at - HOUR_MS, to: alarm.at + 3 * HOUR_MS };
  alarm.at += 3 * HOUR_MS;
  expect(broken(facts)).toEqual([]);
  facts.outage = null;
  expect(broken(facts)).toHaveLength(1);
});
