/** Facts of a demo in which everything went well, for the test that breaks them one by one. */
import { DAY_MS, HOUR_MS } from '../../domain/calendar.js';
import { demoArtists } from '../../sandbox/soundcloud/catalogue.js';
import type { DemoFacts, MailFact, ReviewFacts, SeenWait } from './facts.js';
import { MONTH_END, NAMED_FAMILY, type PlannedReview, PROMISE_HOURS, reviewPlan } from './plan.js';
import { costOf, goodQueueFacts, servedAt } from './promises-fixtures-queues.js';
import type { RepostFact } from './queue-facts.js';
import { GIVEN_CREDITS } from './queue-plan.js';

const START = Date.parse('2026-03-02T08:00:00Z');
const NOW = START + 3 * DAY_MS;
const PROMISE_MS = PROMISE_HOURS * HOUR_MS;
const PEOPLE = { admin: 'user-admin', moderator: 'user-moderator' };
const GRANTS: Record<string, number> = { T1: 1, T2: 1, T3: 2, T4: 3 };
const KILLED = '100@host';
const SUCCESSOR = '200@host';

/** Business hours after the start at which reviews end that are not decided after two hours. */
const END_HOURS: Record<string, number> = {
  'Corner Store Tapes': 20,
  'Ninety Floors': 50,
  'First Light': 40,
};
const LINK_ASKED_HOURS = 6;
const LINK_GIVEN_HOURS = 34;

/** Fresh facts at each call: they may be changed. */
export function goodFacts(): DemoFacts {
  const { promoted, demoted, disconnected } = MONTH_END;
  const moved = new Map<string, string>([promoted, demoted].map(({ handle, tier }) => [handle, tier]));
  const queues = goodQueueFacts(PEOPLE.moderator);
  const { reposts } = queues;
  return {
    ...queues,
    now: NOW,
    toleranceMs: HOUR_MS,
    people: { ...PEOPLE },
    admins: [PEOPLE.admin],
    ops: [PEOPLE.admin, PEOPLE.moderator],
    members: demoArtists().map(({ handle, tier }) => {
      const grant = GRANTS[tier] ?? 0;
      const given = costOf(reposts, ({ artistId }) => artistId === handle) > 0 ? GIVEN_CREDITS : 0;
      const earned = costOf(reposts, ({ supporterId }) => supporterId === handle);
      const spent = costOf(reposts, ({ artistId }) => artistId === handle);
      return {
        id: handle,
        handle,
        tier: moved.get(handle) ?? tier,
        tierAtGrant: handle === MONTH_END.promoted.handle ? MONTH_END.promoted.tier : tier,
        firstGrant: grant,
        newGrants: [{ credits: grant, forfeited: 0 }],
        given,
        earned,
        spent,
        held: 0,
        balance: 2 * grant + given + earned - spent,
        submissionsThisMonth: 0,
        genres: 1,
      };
    }),
    grants: { ...GRANTS },
    month: '2026-04',
    moves: [
      { handle: promoted.handle, type: 'member.promoted', sweeps: 1 },
      { handle: disconnected.handle, type: 'member.disconnected', sweeps: 1 },
      { handle: disconnected.handle, type: 'member.reconnected', sweeps: 2 },
      { handle: demoted.handle, type: 'member.demoted', sweeps: 3 },
    ],
    memberMails: [
      { handle: promoted.handle, template: 'tier_promotion', arrived: 1 },
      { handle: disconnected.handle, template: 'reconnect_prompt', arrived: 1 },
    ],
    unhealthyAccounts: [],
    doctor: [],
    otherWorkflows: [],
    reviews: reviewPlan().map((planned) => goodReview(planned, reposts)),
    accepted: reviewPlan().length,
    strayWorkflows: [],
    refusals: [
      {
        what: 'submit a profile',
        expected: { status: 422, code: 'track_url_profile' },
        seen: { status: 422, code: 'track_url_profile' },
      },
    ],
    strayMails: 0,
    outage: { from: START + 60 * HOUR_MS, to: START + 62 * HOUR_MS },
    recoveryMs: HOUR_MS,
    killedWorker: KILLED,
    workerPid: 200,
    outbox: { unrelayed: 0, failing: 0 },
    ledgerViolations: [],
  };
}

function goodReview(planned: PlannedReview, reposts: readonly RepostFact[]): ReviewFacts {
  const end = START + (END_HOURS[planned.track] ?? 2) * HOUR_MS;
  const withdrawn = planned.ending === 'withdrawn';
  const approved = planned.ending === 'approved';
  const ownerId = planned.track === 'Corner Store Tapes' ? PEOPLE.moderator : null;
  const status = approved ? ('approved' as const) : ('rejected' as const);
  const first = decisionWait({ since: START, dueAt: START + PROMISE_MS });
  const queue = approved ? [{ ...first, stage: 'queue', waitingOn: 'queue', since: end, dueAt: null }] : [];
  const pausedMs = planned.asksLink ? (LINK_GIVEN_HOURS - LINK_ASKED_HOURS) * HOUR_MS : 0;
  const used = end - START - pausedMs;
  const served = servedAt(planned.track);
  const open = approved && served === null;
  return {
    id: `id-${planned.handle}`,
    planned,
    memberId: planned.handle,
    status,
    submittedAt: START,
    decidedAt: withdrawn ? null : end,
    decidedBy: planned.decidedBy === null ? null : PEOPLE[planned.decidedBy],
    withdrawnAt: withdrawn ? end : null,
    closedAt: open ? null : served === null ? end : NOW,
    slotReturned: withdrawn,
    family: planned.family ?? NAMED_FAMILY,
    flags: planned.family === null ? ['genre_unknown'] : [],
    ownerId,
    suggestedSupporters: approved ? 1 : 0,
    creditsConsumed: costOf(reposts, ({ artistId }) => artistId === planned.handle),
    supportEndedAt: served === null ? null : NOW,
    rejectReason: planned.ending === 'rejected' ? 'one two three four five six seven eight nine ten' : null,
    events: [
      ...alarms(planned).map((at) => ({ type: 'submission.breached', at, status: null })),
      withdrawn
        ? { type: 'submission.withdrawn', at: end, status: null }
        : { type: 'submission.decided', at: end, status },
      ...(served === null
        ? []
        : [
            { type: 'submission.assigned', at: served, status: null },
            { type: 'submission.supported', at: NOW, status: null },
          ]),
    ],
    mails: goodMails(planned),
    notifications: [
      ...(used >= 18 * HOUR_MS
        ? (ownerId === null ? Object.values(PEOPLE) : [ownerId]).map((userId) => ({
            userId,
            title: 'A submission is due soon',
            step: 'warning',
            at: START + 18 * HOUR_MS,
          }))
        : []),
      ...alarms(planned).map((at) => ({ userId: PEOPLE.admin, title: 'Broken', step: 'breach', at })),
    ],
    slack: alarms(planned).map(() => planned.track),
    commands: [
      {
        name: withdrawn ? 'withdraw' : 'decide',
        status: 'applied',
        code: null,
        action: withdrawn ? null : approved ? 'approve' : 'reject',
      },
    ],
    proposals: approved ? proposalsFrom(end, served ?? NOW) : [],
    wait: open ? (queue[0] ?? null) : null,
    seenWaits: [first, ...(planned.asksLink ? linkWaits() : []), ...alarmWaits(planned, first), ...queue],
    workflow: {
      status: open ? 'RUNNING' : 'COMPLETED',
      runs: 1,
      stage: approved ? 'queue' : 'decision',
      waitingOn: approved ? 'queue' : 'ops',
      dueAt: null,
      breached: false,
      signals: planned.bySignal ? ['decide'] : [],
      updates: planned.bySignal ? [] : [withdrawn ? 'withdraw' : 'decide'],
      workers: planned.underKill ? [KILLED, SUCCESSOR] : [KILLED],
      slaElapsedMs: used,
    },
  };
}

function decisionWait(at: { since: number; dueAt: number }): SeenWait {
  return { stage: 'decision', waitingOn: 'ops', paused: false, remainingMs: null, breached: false, ...at };
}

function linkWaits(): SeenWait[] {
  const asked = START + LINK_ASKED_HOURS * HOUR_MS;
  const given = START + LINK_GIVEN_HOURS * HOUR_MS;
  const left = PROMISE_MS - LINK_ASKED_HOURS * HOUR_MS;
  return [
    {
      stage: 'live_link',
      waitingOn: 'member',
      since: asked,
      dueAt: asked + 7 * DAY_MS,
      paused: true,
      remainingMs: left,
      breached: false,
    },
    decisionWait({ since: given, dueAt: given + left }),
  ];
}

function alarmWaits({ breaches }: PlannedReview, first: SeenWait): SeenWait[] {
  return breaches ? [{ ...first, breached: true }] : [];
}

/** The breach, and the alarm of the day after. */
function alarms({ breaches }: PlannedReview): number[] {
  return breaches ? [START + PROMISE_MS, START + PROMISE_MS + DAY_MS] : [];
}

function goodMails({ ending, asksLink, track }: PlannedReview): MailFact[] {
  const templates = [
    'submission_confirmation',
    ...(asksLink ? ['request_live_link', 'request_live_link'] : []),
    ...(ending === 'withdrawn' ? [] : [`submission_${ending}`]),
    ...(servedAt(track) === null ? [] : ['support_confirmation']),
  ];
  return templates.map((template) => ({ template, status: 'sent', arrived: 1 }));
}

/** One each day from the decision until the track is served; the last one is still fresh then. */
function proposalsFrom(decided: number, until: number): ReviewFacts['proposals'] {
  const proposals: ReviewFacts['proposals'] = [];
  for (let at = decided; at < until; at += DAY_MS) {
    proposals.push({ createdAt: at, expiresAt: at + DAY_MS, targets: 1 });
  }
  return proposals;
}
