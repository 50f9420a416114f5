/** Reviews and grants whose history grows long start over with what they know, while commands are on their way. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { monthOf } from '../../domain/calendar.js';
import { monthsAfter } from '../../domain/grant-dates.js';
import {
  MONTHLY_CREDIT_GRANT_TYPE,
  monthlyCreditGrantId,
} from '../../workflows/monthly-credit-grant/contract.js';
import { submissionReviewState, submissionUpdates } from '../../workflows/submission-review/contract.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Submission, type World } from '../support/world.js';
import { expectInvariants } from './support/invariants.js';
import { type OwnTemporal, ownTemporal } from './support/own-servers.js';
import { REASON, reviewsOf } from './support/reviews.js';

/** Instead of 4,096 events, so that a few commands fill a run. */
const SUGGESTED_AFTER = 60;

let temporal: OwnTemporal;
let world: World;
let reviews: ReturnType<typeof reviewsOf>;

beforeAll(async () => {
  temporal = await ownTemporal({
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': SUGGESTED_AFTER },
  });
  world = await createWorld({ servers: { temporalAddress: temporal.address } });
  reviews = reviewsOf(world);
  await world.startWorker();
});

afterAll(async () => {
  await world?.remove();
  await temporal?.remove();
});

const runOf = async (submission: Submission) => (await reviews.handleOf(submission).describe()).runId;

const runsOf = async (submission: Submission) =>
  (await world.client.workflow.count(`WorkflowId = '${submission.workflowId}'`)).count;

const assign = (submission: Submission, commandId: string, ownerId: string | null) =>
  reviews.handleOf(submission).executeUpdate(submissionUpdates.assignOwner, {
    updateId: commandId,
    args: [{ commandId, by: world.adminId, ownerId }],
  });

function stepsNamed(submission: Submission, name: string) {
  return world.db
    .selectFrom('soundcloud_commands')
    .select(['payload', 'status'])
    .where('workflow_id', '=', submission.workflowId)
    .where('name', '=', name)
    .execute();
}

describe('a review that continues as new', () => {
  it('loses no command of many that arrive meanwhile, applies each once, and still knows their ids', {
    timeout: 120_000,
  }, async () => {
    const submission = await world.submit();
    await reviews.taken(submission);
    const handle = reviews.handleOf(submission);
    const commands = Array.from({ length: 60 }, (_, at) => ({
      commandId: `command-${at}`,
      by: world.adminId,
      ownerId: at % 2 === 0 ? world.adminId : world.moderatorId,
    }));
    // Five at a time, so that the review starts over between two bursts, just when the next one comes.
    for (let at = 0; at < commands.length; at += 5) {
      await Promise.all(
        commands
          .slice(at, at + 5)
          .map((command, nth) =>
            nth % 3 === 0
              ? handle.signal('assignOwner', command)
              : assign(submission, command.commandId, command.ownerId),
          ),
      );
    }
    await eventually('all are applied', async () => {
      return (await stepsNamed(submission, 'assignOwner')).length === commands.length;
    });
    await eventually('several runs', async () => (await runsOf(submission)) > 3);
    const steps = await stepsNamed(submission, 'assignOwner');
    expect(steps.every((step) => step.status === 'applied')).toBe(true);

    const { state, refused } = await handle.query(submissionReviewState);
    expect(refused).toEqual([]);
    expect((await reviews.facts.row(submission)).owner_id).toBe(state?.ownerId);

    // The first of all comes again, to a later run: known, not applied.
    const owner = state?.ownerId;
    const other = owner === world.adminId ? world.moderatorId : world.adminId;
    await assign(submission, 'command-1', other);
    await handle.signal('assignOwner', { commandId: 'command-0', by: world.adminId, ownerId: other });
    expect((await handle.query(submissionReviewState)).state?.ownerId).toBe(owner);
    expect((await reviews.facts.row(submission)).owner_id).toBe(owner);

    await reviews.reject(submission);
    await reviews.mailed(submission, ['submission_confirmation', 'submission_rejected']);
    expect(await reviews.facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
  });

  it('carries the mails it owes over, in order, and sends each once', { timeout: 120_000 }, async () => {
    const { admin } = world.sandbox;
    await admin.addFault('mailbox', { kind: 'status', status: 503, path: '/emails' });
    const submission = await world.submit();
    await eventually('the track is read', async () => {
      return (await reviews.facts.row(submission)).track_urn !== null;
    });
    const firstRun = await runOf(submission);
    await reviews.handleOf(submission).executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'pend', needLiveLink: true }],
    });
    for (let at = 0; (await runOf(submission)) === firstRun; at += 1) {
      await assign(submission, `filler-${at}`, at % 2 === 0 ? world.adminId : null);
    }
    expect(await reviews.facts.mails(submission)).toEqual([
      'submission_confirmation pending',
      'request_live_link pending',
    ]);
    expect(await reviews.facts.wait(submission)).toMatchObject({ stage: 'live_link', paused: true });
    await admin.clearFaults('mailbox');
    await reviews.mailed(submission, ['submission_confirmation', 'request_live_link']);
    const subjects = (await admin.mails({ to: submission.member.email ?? '' })).map((mail) => mail.subject);
    expect(subjects).toHaveLength(2);
    await reviews.reject(submission);
  });

  it('keeps what was refused by Signal', { timeout: 120_000 }, async () => {
    const submission = await world.submit();
    await reviews.taken(submission);
    const handle = reviews.handleOf(submission);
    await handle.signal('decide', { by: world.adminId, action: 'reject', reason: 'too short' });
    await handle.signal('decide', 'rubbish');
    const firstRun = await runOf(submission);
    for (let at = 0; (await runOf(submission)) === firstRun; at += 1) {
      await assign(submission, `refill-${at}`, at % 2 === 0 ? world.adminId : null);
    }
    const { refused } = await handle.query(submissionReviewState);
    expect(refused.map((refusal) => refusal.code).sort()).toEqual(['malformed_command', 'reason_too_short']);
    await reviews.handleOf(submission).executeUpdate(submissionUpdates.decide, {
      args: [{ by: world.adminId, action: 'reject', reason: REASON }],
    });
    await handle.result();
  });

  it('and everything adds up', async () => {
    await expectInvariants(world);
  });
});

describe('a grant that continues as new', () => {
  it('goes on in the month it was at: each once, in order, told of as one run', {
    timeout: 120_000,
  }, async () => {
    const { db, client, orgId } = world;
    const member = await world.addMember({ followers: 500 });
    const month = monthOf(Date.now(), 'UTC');
    // A page a month and twenty pages a call: some calls, and so some runs.
    const { rows } = await sql<{ last: string }>`
      update soundcloud_repost_credit_wallet
      set last_granted_at = (${`${month}-01`}::timestamp - interval '500 months') at time zone 'UTC'
      where member_id = ${member.id}
      returning to_char(last_granted_at at time zone 'UTC', 'YYYY-MM') as last`.execute(db);
    const missed = monthsAfter(rows[0]?.last ?? '', month);
    // Of the present month it has its joining grant.
    expect(missed.pop()).toBe(month);

    const workflowId = monthlyCreditGrantId(orgId, month);
    const result = await client.workflow.execute(MONTHLY_CREDIT_GRANT_TYPE, {
      workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId, month }],
    });
    await eventually('several runs', async () => {
      return (await client.workflow.count(`WorkflowId = '${workflowId}'`)).count > 2;
    });
    expect(result).toMatchObject({ month, months: missed.map((one) => ({ month: one, members: 1 })) });
    const entries = await db
      .selectFrom('soundcloud_repost_credit_ledger')
      .select(sql<string>`right(idempotency_key, 7)`.as('month'))
      .where('member_id', '=', member.id)
      .where('reference_type', '=', 'monthly_grant')
      .orderBy('version')
      .execute();
    expect(entries.map((entry) => entry.month)).toEqual([month, ...missed]);
    const events = await db
      .selectFrom('soundcloud_events')
      .select(sql<string>`data ->> 'month'`.as('month'))
      .where('type', '=', 'credits.granted')
      .orderBy('seq')
      .execute();
    expect(events.map((event) => event.month)).toEqual(missed);
    const notices = await db
      .selectFrom('soundcloud_notifications')
      .select('user_id')
      .where('title', 'like', 'Monthly credits granted%')
      .execute();
    expect(notices.map(({ user_id }) => user_id).sort()).toEqual([world.adminId, world.moderatorId].sort());
    await expectInvariants(world);
  });
});
