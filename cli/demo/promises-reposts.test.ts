import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import type { DemoFacts, MemberFact, ReviewFacts } from './facts.js';
import { goodFacts } from './promises-fixtures.js';
import {
  balancesAddUp,
  creditsFollow,
  judgedByEvidence,
  supportedAsReposted,
  takenDown,
} from './promises-reposts.js';
import type { CheckFact, RepostFact } from './queue-facts.js';
import type { World } from './queue-plan.js';

const PROMISES = { balancesAddUp, creditsFollow, judgedByEvidence, supportedAsReposted, takenDown };

function repost({ reposts }: DemoFacts, world: World): RepostFact {
  const found = reposts.find((one) => one.world === world);
  if (found === undefined) throw new Error(`No repost is ${world}.`);
  return found;
}

function check(facts: DemoFacts, world: World, verdict: string): CheckFact {
  const found = repost(facts, world).checks.findLast((one) => one.verdict === verdict);
  if (found === undefined) throw new Error(`${world} was not found ${verdict}.`);
  return found;
}

function hold(facts: DemoFacts, world: World): RepostFact['holds'][number] {
  const [found] = repost(facts, world).holds;
  if (found === undefined) throw new Error('Nothing was held.');
  return found;
}

function supported({ reviews }: DemoFacts): ReviewFacts {
  const found = reviews.find(({ planned }) => planned?.track === 'Undertow');
  if (found === undefined) throw new Error('There is no Undertow.');
  return found;
}

function member({ members }: DemoFacts, which: (one: MemberFact) => boolean): MemberFact {
  const found = members.find(which);
  if (found === undefined) throw new Error('There is no such member.');
  return found;
}

const EVERY_WORLD: World[] = [
  'scheduled',
  'kept',
  'taken_down',
  'absent',
  'hidden',
  'skipped',
  'planned_scheduled',
  'planned',
];

const BREAKS: [what: string, promise: keyof typeof PROMISES, spoil: (facts: DemoFacts) => unknown][] = [
  ...EVERY_WORLD.map((world): (typeof BREAKS)[number] => [
    `no repost that is ${world}`,
    'judgedByEvidence',
    (facts) => {
      facts.reposts = facts.reposts.filter((one) => one.world !== world);
    },
  ]),
  ...EVERY_WORLD.map((world): (typeof BREAKS)[number] => [
    `another end of one that is ${world}`,
    'judgedByEvidence',
    (facts) => {
      const one = repost(facts, world);
      one.status = one.status === 'failed' ? 'completed' : 'failed';
    },
  ]),
  [
    'a repost nobody played',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'kept').world = null;
    },
  ],
  [
    'a failure for another reason',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'absent').reason = 'unreposted';
    },
  ],
  [
    'a repost accepted unseen',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'hidden').provisional = true;
    },
  ],
  [
    'a scheduled one the scheduler did not report',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'scheduled', 'seen').source = 'reposters';
    },
  ],
  [
    'a schedule that failed',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'planned_scheduled').schedule = 'failed';
    },
  ],
  [
    'a schedule for one by hand',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'kept').schedule = 'completed';
    },
  ],
  [
    'one that counts though no list showed it',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'planned', 'seen').verdict = 'inconclusive';
    },
  ],
  [
    'a proof that was believed',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'taken_down', 'seen').source = 'member_url';
    },
  ],
  [
    'ops asked for what was seen',
    'judgedByEvidence',
    (facts) => repost(facts, 'kept').tasks.push({ status: 'done', outcome: 'completed', by: null }),
  ],
  [
    'an absence without control',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'absent', 'absent').control = false;
    },
  ],
  ['an absence in two looks', 'judgedByEvidence', (facts) => repost(facts, 'absent').checks.pop()],
  [
    'looks that were too close together',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'absent', 'absent').at -= HOUR_MS / 10;
    },
  ],
  [
    'an absent one that was seen',
    'judgedByEvidence',
    (facts) => repost(facts, 'absent').checks.push(check(facts, 'kept', 'seen')),
  ],
  [
    'a removal found in two looks',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'taken_down', 'absent').control = false;
    },
  ],
  [
    'an empty list taken for an absence',
    'judgedByEvidence',
    (facts) => {
      check(facts, 'hidden', 'inconclusive').verdict = 'absent';
    },
  ],
  [
    'a hidden one ops were not asked about',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'hidden').tasks = [];
    },
  ],
  [
    'a task nobody answered',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'hidden').tasks = [{ status: 'done', outcome: 'completed', by: null }];
    },
  ],
  [
    'a hidden one nobody looked for',
    'judgedByEvidence',
    (facts) => {
      repost(facts, 'hidden').checks = [];
    },
  ],
  [
    'a skipped one that was looked for',
    'judgedByEvidence',
    (facts) => repost(facts, 'skipped').checks.push(check(facts, 'kept', 'seen')),
  ],
  [
    'nobody takes one down early',
    'takenDown',
    (facts) => {
      repost(facts, 'taken_down').world = 'kept';
    },
  ],
  [
    'nothing comes down as planned',
    'takenDown',
    (facts) => {
      repost(facts, 'planned').world = 'kept';
      repost(facts, 'planned_scheduled').world = 'scheduled';
    },
  ],
  [
    'an early removal nobody told of',
    'takenDown',
    (facts) => {
      repost(facts, 'taken_down').events = [];
    },
  ],
  [
    'a removal that counts after the watch',
    'takenDown',
    (facts) => {
      for (const event of repost(facts, 'taken_down').events) event.at += DAY_MS;
    },
  ],
  [
    'credits for a repost taken down early',
    'takenDown',
    (facts) => repost(facts, 'taken_down').earned.push({ credits: 1, forfeited: 0 }),
  ],
  [
    'a planned removal nobody saw',
    'takenDown',
    (facts) => {
      check(facts, 'planned', 'absent').verdict = 'seen';
    },
  ],
  [
    'a removal before its time',
    'takenDown',
    (facts) => {
      check(facts, 'planned', 'absent').at -= 3 * HOUR_MS;
    },
  ],
  [
    'a planned removal that is held against somebody',
    'takenDown',
    (facts) => repost(facts, 'planned').events.push({ type: 'assignment.unreposted', at: 0 }),
  ],
  ['no hold', 'creditsFollow', (facts) => repost(facts, 'kept').holds.pop()],
  ['two holds', 'creditsFollow', (facts) => repost(facts, 'kept').holds.push(hold(facts, 'kept'))],
  [
    'another price',
    'creditsFollow',
    (facts) => {
      hold(facts, 'kept').credits = 2;
    },
  ],
  [
    'a hold that stays open',
    'creditsFollow',
    (facts) => {
      hold(facts, 'kept').status = 'open';
    },
  ],
  [
    'a failed repost that is paid',
    'creditsFollow',
    (facts) => {
      hold(facts, 'absent').status = 'captured';
    },
  ],
  ['a repost that brings nothing', 'creditsFollow', (facts) => repost(facts, 'kept').earned.pop()],
  [
    'a repost that brings too much',
    'creditsFollow',
    (facts) => {
      repost(facts, 'kept').earned = [{ credits: 2, forfeited: 0 }];
    },
  ],
  [
    'a skip that brings credits',
    'creditsFollow',
    (facts) => repost(facts, 'skipped').earned.push({ credits: 1, forfeited: 0 }),
  ],
  [
    'a track that is not closed',
    'supportedAsReposted',
    (facts) => {
      supported(facts).closedAt = null;
    },
  ],
  ['a track never called supported', 'supportedAsReposted', (facts) => supported(facts).events.pop()],
  [
    'another cost',
    'supportedAsReposted',
    (facts) => {
      supported(facts).creditsConsumed = 3;
    },
  ],
  [
    'a slot given back',
    'supportedAsReposted',
    (facts) => {
      supported(facts).slotReturned = true;
    },
  ],
  [
    'nothing reposted',
    'supportedAsReposted',
    (facts) => {
      facts.reposts = [];
    },
  ],
  [
    'a balance that is not the sum',
    'balancesAddUp',
    (facts) => {
      member(facts, () => true).balance = 0;
    },
  ],
  [
    'a capture that is not in the balance',
    'balancesAddUp',
    (facts) => {
      member(facts, ({ spent }) => spent > 0).spent += 1;
    },
  ],
  [
    'an earning that is not in the balance',
    'balancesAddUp',
    (facts) => {
      member(facts, ({ earned }) => earned > 0).earned += 1;
    },
  ],
  [
    'credits still held',
    'balancesAddUp',
    (facts) => {
      member(facts, () => true).held = 1;
    },
  ],
  [
    'no wallet',
    'balancesAddUp',
    (facts) => {
      member(facts, () => true).balance = null;
    },
  ],
  ...(['given', 'earned', 'spent'] as const).map((what): (typeof BREAKS)[number] => [
    `nothing ${what}`,
    'balancesAddUp',
    (facts) => {
      for (const one of facts.members) {
        one.balance = (one.balance ?? 0) + (what === 'spent' ? one[what] : -one[what]);
        one[what] = 0;
      }
    },
  ]),
];

test.each(BREAKS)('%s breaks its promise', (_what, promise, spoil) => {
  expect(PROMISES[promise](goodFacts()).problems).toEqual([]);
  const facts = goodFacts();
  spoil(facts);
  expect(PROMISES[promise](facts).held).toBe(false);
});
