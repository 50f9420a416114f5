/** The story the demo tells: three business days of one org over a month's end, in order. Day 1 is a Monday. */
import { toReal } from '../../domain/calendar.js';
import { refusedDecision, sendBadRequests } from './bad-requests.js';
import { demotionCame, firstSweepTold, monthBegins, worldChanges } from './month-end.js';
import { InVainError } from './patience.js';
import { NAMED_FAMILY } from './plan.js';
import { approveQueue, giveCredits, planUnreposts, type QueuePlay, queueLapses } from './queue-days.js';
import type { Stage } from './stage.js';
import {
  closeSupport,
  comeToRest,
  decideBySignal,
  publish,
  reviewBreached,
  reviewsWait,
} from './story-steps.js';
import { killWorkerInTheMiddle } from './worker-kill.js';

/** The first queue is drafted at six: what is approved after that is not in it. */
const LATEST_OPENING = 4;

export async function tellStory(stage: Stage): Promise<void> {
  await opensInTime(stage);
  const first = await firstDay(stage);
  await firstNight(stage);
  const second = await secondDay(stage);
  await first.done();
  await thirdDay(stage, [first, second]);
  await demotionCame(stage);
  await comeToRest(stage);
}

async function opensInTime(stage: Stage): Promise<void> {
  const seconds = Math.round((toReal(stage.sources.clock, stage.instant(1, 0)) - Date.now()) / 1_000);
  if (seconds > 0) stage.timeline.say('system', `The story begins on Monday, at midnight: in ${seconds} s.`);
  await stage.at(1, 0);
  if (stage.businessNow() <= stage.instant(1, LATEST_OPENING)) return;
  throw new InVainError(
    'The network was ready too late for the first queue: this machine is slow, or busy. Give the day more time with --day-seconds 120.',
  );
}

/** @returns what becomes of the first queue's reposts */
async function firstDay(stage: Stage): Promise<QueuePlay> {
  const { timeline } = stage;
  const moderator = stage.ops('moderator');
  const handedIn = [
    'Undertow',
    'Glass Kites',
    'Northern Signal',
    'Warehouse Window',
    'Corner Store Tapes',
    'Ninety Floors',
    'First Light',
  ];
  timeline.chapter(
    'Day 1: submissions and decisions',
    'Each accepted submission starts a durable review: a confirmation mail, and 24 h for ops to decide.',
  );
  await stage.submit(handedIn, { shortLink: 'Warehouse Window' });
  await reviewsWait(stage, handedIn);
  await stage.command(moderator, 'Undertow', 'decide', { action: 'approve' }, 'Moderator approves Undertow.');
  await decideBySignal(stage, 'Northern Signal');
  await giveCredits(stage);
  await refusedDecision(
    stage,
    'Undertow',
    'approved once more',
    { status: 409, code: 'already_decided' },
    { action: 'approve' },
  );
  await sendBadRequests(stage);

  await stage.at(1, 3);
  await refusedDecision(
    stage,
    'Warehouse Window',
    'rejected in three words',
    { status: 422, code: 'reason_too_short' },
    { action: 'reject', reason: 'Not for us' },
  );
  await stage.command(
    moderator,
    'Warehouse Window',
    'decide',
    { action: 'reject', reason: 'The vocals clip from the second minute on; please master it again first.' },
    'Moderator rejects Warehouse Window, with a reason of more than ten words.',
  );
  await worldChanges(stage);

  await stage.at(1, 5);
  const owner = { owner_id: stage.network.people.moderator };
  await stage.command(
    moderator,
    'Corner Store Tapes',
    'assign-owner',
    owner,
    'Moderator takes Corner Store Tapes: its owner from now on.',
  );
  await stage.command(
    moderator,
    'Corner Store Tapes',
    'decide',
    { action: 'pend' },
    'Moderator has looked at it and wants to think it over: pend. The clock runs on.',
  );
  await stage.command(
    moderator,
    'First Light',
    'decide',
    { action: 'pend', need_live_link: true },
    'First Light is private: moderator asks its member for the public link. The clock stops.',
  );

  timeline.chapter(
    'Day 1: the first queue',
    'Drafted at 06:00, it waits for approval until 12:00. Then credits are held, supporters are asked, and each repost waits for its proof: seen, absent or inconclusive.',
  );
  const queue = await approveQueue(stage, 1, ['Undertow', 'Northern Signal']);
  await stage.at(1, 8);
  await stage.command(
    moderator,
    'Glass Kites',
    'decide',
    { action: 'approve' },
    'Moderator approves Glass Kites.',
  );
  return queue;
}

async function firstNight(stage: Stage): Promise<void> {
  const { timeline } = stage;
  await stage.at(1, 18);
  timeline.chapter(
    'Night: two submissions come close to their deadline',
    'Ops are warned at 75 % (18 h): the owner where there is one, else all. Ninety Floors is left lying on purpose. At 03:00 all accounts are looked at.',
  );
  await stage.at(1, 20);
  await stage.command(
    stage.ops('moderator'),
    'Corner Store Tapes',
    'decide',
    { action: 'approve' },
    'Moderator approves Corner Store Tapes, 4 h before its deadline.',
  );
  await stage.at(2, 0);
  await reviewBreached(stage, 'Ninety Floors');
  await firstSweepTold(stage);
}

/** @returns what becomes of the second queue's reposts */
async function secondDay(stage: Stage): Promise<QueuePlay> {
  const { timeline } = stage;
  const moderator = stage.ops('moderator');
  timeline.chapter(
    'Day 2: a withdrawal, the second queue, a reminder, a live link',
    'Reposts of this queue come down after some hours, as planned. At noon the time for yesterday’s proofs is over.',
  );
  await stage.at(2, 4);
  await stage.submit(['Slow Weather']);
  await reviewsWait(stage, ['Slow Weather']);
  await stage.command(
    stage.member('Slow Weather'),
    'Slow Weather',
    'withdraw',
    {},
    'Its member withdraws Slow Weather.',
  );
  await refusedDecision(
    stage,
    'Slow Weather',
    'approved after the withdrawal',
    { status: 409, code: 'submission_closed' },
    { action: 'approve' },
  );

  await planUnreposts(stage);
  const queue = await approveQueue(stage, 2, ['Glass Kites']);

  await stage.at(2, 10);
  const link = { url: await publish(stage, 'First Light') };
  await stage.command(
    stage.member('First Light'),
    'First Light',
    'provide-live-link',
    link,
    'The member of First Light hands in the public link.',
  );
  await stage.at(2, 16);
  await stage.command(
    moderator,
    'First Light',
    'decide',
    { action: 'approve' },
    'Moderator approves First Light.',
  );
  return queue;
}

async function thirdDay(stage: Stage, queues: readonly QueuePlay[]): Promise<void> {
  const { timeline } = stage;
  const moderator = stage.ops('moderator');
  await stage.at(3, 0);
  timeline.chapter(
    'Day 3: a new month, the alarm again, and a queue that nobody approves',
    'Everybody is granted credits. A breach is raised again each day until somebody decides. The watch over the reposts ends, and credits move.',
  );
  await monthBegins(stage);
  await stage.command(
    stage.ops('admin'),
    'Ninety Floors',
    'decide',
    { action: 'approve' },
    'Admin has seen the alarms and approves Ninety Floors, a day late.',
  );
  await stage.submit(['Postcards to Nobody', 'Tidal Maps', 'After Hours']);
  await reviewsWait(stage, ['Postcards to Nobody', 'Tidal Maps', 'After Hours']);
  await stage.command(
    moderator,
    'After Hours',
    'decide',
    { action: 'flag', reason: 'Is this set a re-upload of an older one?' },
    'Moderator flags After Hours for a second look.',
  );
  for (const queue of queues) await queue.settled();
  await queueLapses(stage, 3);
  await closeSupport(stage, 'Undertow');

  timeline.chapter(
    'Day 3: a killed worker',
    'The worker is killed while decisions are under way, and mails are on their way.',
  );
  await killWorkerInTheMiddle(stage);

  await reviewsWait(stage, ['Rain on a Tin Roof']);
  await refusedDecision(
    stage,
    'Rain on a Tin Roof',
    'approved without naming its genre',
    { status: 422, code: 'family_required' },
    { action: 'approve' },
  );
  await stage.command(
    moderator,
    'Rain on a Tin Roof',
    'decide',
    { action: 'approve', family: NAMED_FAMILY },
    `Moderator approves Rain on a Tin Roof as ${NAMED_FAMILY}: nothing in it names a genre.`,
  );
}
