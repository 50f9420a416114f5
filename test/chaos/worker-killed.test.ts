/**
 * The worker is killed with SIGKILL at points of a review that a gate, a hanging provider or a held line makes exact,
 * and started again. Each review must leave behind what an undisturbed one leaves. Kills follow one another while the
 * reviews of earlier ones still recover, so most reviews live through several.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submissionUpdates } from '../../workflows/submission-review/contract.js';
import { eventually, reviewFacts } from '../support/review-facts.js';
import { createWorld, type Member, type Submission, type World } from '../support/world.js';
import { accountOf } from './support/account.js';
import { createGateKeeper, type Gate, type GateKeeper } from './support/gates.js';
import { type HeldLine, openHeldLine } from './support/held-line.js';
import { expectInvariants } from './support/invariants.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

type Story = 'rejected' | 'approved';

/** A killed worker's activity is tried again after its time to finish (30 s), and may meet the next kill. */
const RECOVERY_MS = 180_000;

let world: World;
let facts: ReturnType<typeof reviewFacts>;
let gates: GateKeeper;
let line: HeldLine;
let workers: WorkerProcesses;
let worker: WorkerProcess;
/** Made before the first review, so that all proposals choose from the same supporters. */
const members: Member[] = [];
const decisions = new Map<string, Promise<unknown>>();
const recoveries = new Map<string, Promise<unknown>>();
const references = {} as Record<Story, unknown>;

interface KillPoint {
  /** What goes on when the worker dies. */
  during: string;
  story: Story;
  /** Brings a review of the member exactly there. @returns the submission, and what puts the world right again */
  reach(member: Member): Promise<{ submission: Submission; mend?: () => Promise<void> }>;
}

const POINTS: KillPoint[] = [
  {
    during: 'a mail is accepted by the provider but not marked as sent',
    story: 'rejected',
    async reach(member) {
      const { admin } = world.sandbox;
      await admin.addFault('mailbox', { kind: 'hang', processed: true, path: '/emails', count: 1 });
      const submission = await submit(member);
      await eventually('the provider has the mail', async () => {
        const mails = await admin.mails({ to: member.email ?? '' });
        return mails.length === 1;
      });
      return { submission, mend: () => admin.clearFaults('mailbox') };
    },
  },
  {
    during: 'SoundCloud is asked about the track',
    story: 'rejected',
    async reach(member) {
      const { admin } = world.sandbox;
      const before = (await admin.requests('soundcloud', '/resolve')).length;
      await admin.addFault('soundcloud', { kind: 'hang', path: '/resolve' });
      const submission = await submit(member);
      await eventually('SoundCloud is asked', async () => {
        const asked = await admin.requests('soundcloud', '/resolve');
        return asked.length > before;
      });
      return { submission, mend: () => admin.clearFaults('soundcloud') };
    },
  },
  {
    during: 'the review is opened, before the transaction commits',
    story: 'approved',
    reach: (member) => beforeCommit(member, openingGate(member)),
  },
  {
    during: 'the opening is committed, but Temporal has not heard of it',
    story: 'rejected',
    reach: (member) =>
      afterCommit(
        member,
        openingGate(member),
        async (submission) => (await facts.wait(submission)) !== undefined,
      ),
  },
  {
    during: 'the track is recorded, but Temporal has not heard of it',
    story: 'approved',
    reach: (member) =>
      afterCommit(
        member,
        gates.close('update', 'soundcloud_submissions', `${ofMember(member)} and new.track_urn is not null`),
        async (submission) => (await facts.row(submission)).track_urn !== null,
      ),
  },
  {
    during: 'a mail is marked as sent, but Temporal has not heard of it',
    story: 'rejected',
    reach: (member) =>
      afterCommit(
        member,
        gates.close(
          'update',
          'soundcloud_email_logs',
          `new.recipient_email = '${member.email}' and new.status = 'sent'`,
        ),
        async (submission) => (await facts.mails(submission))[0]?.endsWith('sent') === true,
      ),
  },
  {
    during: 'a decision is taken, before the transaction commits',
    story: 'rejected',
    reach: (member) => beforeCommit(member, statusGate(member, 'rejected'), 'rejected'),
  },
  {
    during: 'a rejection is committed, but neither Temporal nor the member has heard of it',
    story: 'rejected',
    reach: (member) =>
      afterCommit(
        member,
        statusGate(member, 'rejected'),
        async (submission) => (await facts.row(submission)).status === 'rejected',
        'rejected',
      ),
  },
  {
    during: 'a submission is approved and its proposal is being built',
    story: 'approved',
    reach: (member) => beforeCommit(member, proposalGate(member), 'approved'),
  },
  {
    during: 'the proposal is stored, but neither Temporal nor the member has heard of it',
    story: 'approved',
    reach: (member) =>
      afterCommit(
        member,
        proposalGate(member),
        async (submission) => (await facts.proposals(submission)).length === 1,
        'approved',
      ),
  },
  {
    during: 'the review closes, before the transaction commits',
    story: 'rejected',
    reach: (member) => beforeCommit(member, closingGate(member), 'rejected'),
  },
  {
    during: 'the row is closed, but Temporal has not heard of it',
    story: 'rejected',
    reach: (member) =>
      afterCommit(
        member,
        closingGate(member),
        async (submission) => (await facts.row(submission)).closed_at !== null,
        'rejected',
      ),
  },
];

beforeAll(async () => {
  world = await createWorld();
  facts = reviewFacts(world);
  gates = await createGateKeeper(world.database.adminUrl);
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  workers = workerProcesses({ ...world.env, TEMPORAL_ADDRESS: line.address });
  worker = await workers.start();
  for (let made = 0; made < POINTS.length + 2; made += 1) members.push(await world.addMember());
  for (const story of ['rejected', 'approved'] as const) {
    const submission = await submit(nextMember());
    await finish(submission, story);
    references[story] = await accountOf(world, submission);
  }
});

afterAll(async () => {
  await gates?.end();
  await workers?.end();
  await line?.close();
  await world?.remove();
});

describe('a worker is killed while', () => {
  it.each(POINTS)('$during', { timeout: RECOVERY_MS }, async ({ during, story, reach }) => {
    const { submission, mend } = await reach(nextMember());
    await worker.kill();
    line.cut();
    await mend?.();
    worker = await workers.start();
    const recovery = finish(submission, story).then(() => accountOf(world, submission));
    // Looked at below; until then a failure must not end the run.
    recovery.catch(() => {});
    recoveries.set(during, recovery);
  });
});

describe('a review ends as if nothing had happened, after a kill while', () => {
  it.each(POINTS)('$during', { timeout: RECOVERY_MS }, async ({ during, story }) => {
    expect(await recoveries.get(during)).toEqual(references[story]);
  });

  it('and everything adds up', async () => {
    expect(references.approved).toMatchObject({ row: { status: 'approved', closed_at: null } });
    await expectInvariants(world);
    // All those workers shared one access token; one that is killed while it asks may cost another.
    expect(await world.sandbox.admin.tokensIssued()).toBeLessThan(4);
  });
});

function nextMember(): Member {
  const member = members.pop();
  if (member === undefined) throw new Error('there are fewer members than reviews');
  return member;
}

function submit(member: Member): Promise<Submission> {
  return world.submit({ member, title: 'The same title' });
}

/** Sends the decision, once for each submission; the answer may come after a kill. */
function decide(submission: Submission, story: Story): Promise<unknown> {
  const sent = decisions.get(submission.id);
  if (sent !== undefined) return sent;
  const commandId = createHash('sha256').update(submission.id).digest('hex');
  const answer = world.client.workflow
    .getHandle(submission.workflowId)
    .executeUpdate(submissionUpdates.decide, {
      updateId: commandId,
      args: [
        story === 'approved'
          ? { commandId, by: world.adminId, action: 'approve' }
          : {
              commandId,
              by: world.adminId,
              action: 'reject',
              reason: 'This track was already supported by our network twice in the last month.',
            },
      ],
    });
  answer.catch(() => {});
  decisions.set(submission.id, answer);
  return answer;
}

async function finish(submission: Submission, story: Story): Promise<void> {
  await readyForDecision(submission);
  await decide(submission, story);
  await eventually(
    `the end of ${submission.id}`,
    async () => {
      const [confirmation, verdict, ...more] = await facts.mails(submission);
      const told = [confirmation, verdict].every((mail) => mail?.endsWith(' sent')) && more.length === 0;
      return told && (story === 'approved' || (await facts.row(submission)).closed_at !== null);
    },
    RECOVERY_MS,
  );
}

async function readyForDecision(submission: Submission): Promise<void> {
  await eventually(
    `the intake of ${submission.id}`,
    async () => {
      const [confirmation] = await facts.mails(submission);
      return confirmation?.endsWith(' sent') && (await facts.row(submission)).track_urn !== null;
    },
    RECOVERY_MS,
  );
}

/** Stops at a gate; the worker dies with its transaction open. */
async function beforeCommit(member: Member, closing: Promise<Gate>, story?: Story) {
  const gate = await closing;
  const submission = await upTo(member, gate, story);
  return { submission, mend: () => gate.open() };
}

/** Stops the worker's line to Temporal at a gate, and lets only the transaction through. */
async function afterCommit(
  member: Member,
  closing: Promise<Gate>,
  committed: (submission: Submission) => Promise<boolean>,
  story?: Story,
) {
  const gate = await closing;
  const submission = await upTo(member, gate, story);
  line.hold();
  await gate.open();
  await eventually('the transaction is committed', () => committed(submission));
  return { submission };
}

async function upTo(member: Member, gate: Gate, story?: Story): Promise<Submission> {
  const submission = await submit(member);
  if (story !== undefined) {
    await readyForDecision(submission);
    void decide(submission, story);
  }
  await eventually('the worker stands before the gate', () => gate.someoneWaits(), RECOVERY_MS);
  return submission;
}

const ofMember = (member: Member) => `new.member_id = '${member.id}'`;

const openingGate = (member: Member) =>
  gates.close('insert', 'soundcloud_email_logs', `new.recipient_email = '${member.email}'`);

const statusGate = (member: Member, status: string) =>
  gates.close('update', 'soundcloud_submissions', `${ofMember(member)} and new.status = '${status}'`);

const closingGate = (member: Member) =>
  gates.close('update', 'soundcloud_submissions', `${ofMember(member)} and new.closed_at is not null`);

/** At the mail of the same transaction: the proposal itself does not name the member. */
const proposalGate = (member: Member) =>
  gates.close(
    'insert',
    'soundcloud_email_logs',
    `new.recipient_email = '${member.email}' and new.template_name = 'submission_approved'`,
  );
