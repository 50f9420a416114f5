/**
 * The worker is killed with SIGKILL between any two steps of an assignment, as worker-killed.test.ts does with reviews,
 * and started again. Each assignment must leave behind what an undisturbed one leaves.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignmentUpdates } from '../../workflows/assignment/contract.js';
import { assignmentsOf, type PublishedAssignment } from '../support/assignments.js';
import { eventually } from '../support/review-facts.js';
import { createWorld, type Member, type World } from '../support/world.js';
import { accountOfAssignment } from './support/assignment-account.js';
import { expectAssignmentInvariants } from './support/assignment-invariants.js';
import { createGateKeeper, type Gate, type GateKeeper } from './support/gates.js';
import { type HeldLine, openHeldLine } from './support/held-line.js';
import { type WorkerProcess, type WorkerProcesses, workerProcesses } from './support/worker-process.js';

/** `kept`: a proof that is seen, then ops end the watch. `failed`: ops say so. */
type Story = 'kept' | 'failed';

/** A killed worker's activity is tried again after its time to finish (30 s), and may meet the next kill. */
const RECOVERY_MS = 180_000;

let world: World;
let the: ReturnType<typeof assignmentsOf>;
let gates: GateKeeper;
let line: HeldLine;
let workers: WorkerProcesses;
let worker: WorkerProcess;
const sent = new Map<string, Promise<unknown>>();
const recoveries = new Map<string, Promise<unknown>>();
const references = {} as Record<Story, unknown>;

interface KillPoint {
  /** What goes on when the worker dies. */
  during: string;
  story: Story;
  /** Brings an assignment of the supporter exactly there. @returns it, and what puts the world right again */
  reach(supporter: Member): Promise<{ assignment: PublishedAssignment; mend?: () => Promise<void> }>;
}

const opening = (supporter: Member) =>
  gates.close('insert', 'soundcloud_email_logs', `new.recipient_email = '${supporter.email}'`);
const rowOf = (supporter: Member, when: string) =>
  gates.close('update', 'soundcloud_queue_assignments', `new.supporter_id = '${supporter.id}' and ${when}`);
const proofTaken = (supporter: Member) =>
  rowOf(supporter, 'new.proof_url is not null and old.proof_url is null');
const completed = (supporter: Member) =>
  rowOf(supporter, `new.status = 'completed' and old.status = 'assigned'`);
const settled = (supporter: Member) =>
  rowOf(supporter, 'new.settled_at is not null and old.settled_at is null');
const closed = (supporter: Member) => rowOf(supporter, 'new.closed_at is not null and old.closed_at is null');

const POINTS: KillPoint[] = [
  {
    during: 'the assignment is opened, before the transaction commits',
    story: 'kept',
    reach: (supporter) => beforeCommit('kept', supporter, opening(supporter)),
  },
  {
    during: 'the opening is committed, but Temporal has not heard of it',
    story: 'failed',
    reach: (supporter) =>
      afterCommit('failed', supporter, opening(supporter), async (assignment) => {
        return (await the.facts.wait(assignment)) !== undefined;
      }),
  },
  {
    during: 'a proof is taken, but Temporal has not heard of it',
    story: 'kept',
    reach: (supporter) =>
      afterCommit('kept', supporter, proofTaken(supporter), async (assignment) => {
        return (await the.facts.row(assignment)).proof_url !== null;
      }),
  },
  {
    during: 'SoundCloud is asked for the repost',
    story: 'kept',
    async reach(supporter) {
      const { admin } = world.sandbox;
      const [user] = await admin.addUsers([
        { handle: supporter.handle, name: supporter.handle, followers: 5_000 },
      ]);
      // Only this one's: others that still recover must not be held up, nor be taken for it.
      const path = `/users/${encodeURIComponent(user?.urn ?? '')}/*`;
      await admin.addFault('soundcloud', { kind: 'hang', path });
      const assignment = await publish(supporter);
      void act(assignment, 'kept').catch(() => {});
      await eventually('SoundCloud is asked', async () => {
        const asked = await admin.requests('soundcloud', path);
        return asked.length > 0;
      });
      return { assignment, mend: () => admin.clearFaults('soundcloud') };
    },
  },
  {
    during: 'what was seen is stored, but Temporal has not heard of it',
    story: 'kept',
    async reach(supporter) {
      const assignment = await publish(supporter);
      await the.opened(assignment);
      const gate = await gates.close(
        'insert',
        'soundcloud_proof_checks',
        `new.assignment_id = '${assignment.id}' and new.source = 'user_reposts'`,
      );
      void act(assignment, 'kept').catch(() => {});
      return heard(assignment, gate, async () => {
        return (await the.facts.evidence(assignment)).includes('user_reposts seen');
      });
    },
  },
  {
    during: 'the repost is completed, but Temporal has not heard of it',
    story: 'kept',
    reach: (supporter) =>
      afterCommit('kept', supporter, completed(supporter), async (assignment) => {
        return (await the.facts.row(assignment)).status === 'completed';
      }),
  },
  {
    during: 'credits are captured, before the transaction commits',
    story: 'kept',
    reach: (supporter) => beforeCommit('kept', supporter, settled(supporter)),
  },
  {
    during: 'credits are captured, but Temporal has not heard of it',
    story: 'kept',
    reach: (supporter) => afterCommit('kept', supporter, settled(supporter), isSettled),
  },
  {
    during: 'credits are given back, but Temporal has not heard of it',
    story: 'failed',
    reach: (supporter) => afterCommit('failed', supporter, settled(supporter), isSettled),
  },
  {
    during: 'the row is closed, but Temporal has not heard of it',
    story: 'failed',
    reach: (supporter) =>
      afterCommit('failed', supporter, closed(supporter), async (assignment) => {
        return (await the.facts.row(assignment)).closed_at !== null;
      }),
  },
];

const isSettled = async (assignment: PublishedAssignment) =>
  (await the.facts.row(assignment)).settled_at !== null;

beforeAll(async () => {
  // Each worker asks for an access token of its own, and there are few; their limit rises with shorter days.
  world = await createWorld({ daySeconds: 3_600 });
  the = assignmentsOf(world);
  gates = await createGateKeeper(world.database.adminUrl);
  line = await openHeldLine(world.config.TEMPORAL_ADDRESS);
  workers = workerProcesses({ ...world.env, TEMPORAL_ADDRESS: line.address });
  worker = await workers.start();
  for (const story of ['kept', 'failed'] as const) {
    const assignment = await publish(await the.addSupporter());
    await finish(assignment, story);
    references[story] = await accountOfAssignment(world, assignment);
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
    const { assignment, mend } = await reach(await the.addSupporter());
    await worker.kill();
    line.cut();
    await mend?.();
    worker = await workers.start();
    const recovery = finish(assignment, story).then(() => accountOfAssignment(world, assignment));
    // Looked at below; until then a failure must not end the run.
    recovery.catch(() => {});
    recoveries.set(during, recovery);
  });
});

describe('an assignment ends as if nothing had happened, after a kill while', () => {
  it.each(POINTS)('$during', { timeout: RECOVERY_MS }, async ({ during, story }) => {
    expect(await recoveries.get(during)).toEqual(references[story]);
  });

  it('and everything adds up', async () => {
    expect(references.kept).toMatchObject({
      row: { status: 'completed', provisional: false },
      supporter: { balance: 3, held: 0 },
      mails: ['assignment_published sent'],
    });
    await expectAssignmentInvariants(world);
  });
});

/** Reposted at once, so that a look sees it whenever it comes. */
async function publish(supporter: Member): Promise<PublishedAssignment> {
  const assignment = await the.publishOne({ supporters: [supporter], price: 2 });
  await the.repost(assignment);
  return assignment;
}

/** Sends a command once for each assignment; the answer may come after a kill. */
function send(
  assignment: PublishedAssignment,
  name: 'submitProof' | 'overrideOutcome',
  input: Record<string, unknown>,
): Promise<unknown> {
  const key = `${name}:${assignment.id}`;
  const known = sent.get(key);
  if (known !== undefined) return known;
  const commandId = createHash('sha256').update(key).digest('hex');
  const answer = the
    .handleOf(assignment)
    .executeUpdate<unknown, [Record<string, unknown>]>(assignmentUpdates[name].name, {
      updateId: commandId,
      args: [{ ...input, commandId, by: world.adminId }],
    });
  answer.catch(() => {});
  sent.set(key, answer);
  return answer;
}

/** Does what the story's people do, each as soon as it is their turn. */
async function act(assignment: PublishedAssignment, story: Story): Promise<void> {
  await the.opened(assignment, RECOVERY_MS);
  if (story === 'kept') {
    await send(assignment, 'submitProof', { url: assignment.submission.trackUrl });
    await eventually(
      `completion of ${assignment.id}`,
      async () => (await the.facts.row(assignment)).status === 'completed',
      RECOVERY_MS,
    );
  }
  const outcome = story === 'kept' ? 'completed' : 'failed';
  await send(assignment, 'overrideOutcome', { outcome, reason: 'Ops looked at it.' });
}

async function finish(assignment: PublishedAssignment, story: Story): Promise<void> {
  await act(assignment, story);
  await eventually(
    `the end of ${assignment.id}`,
    async () => {
      const { rows } = await sql<{ told: boolean }>`select bool_and(relayed_at is not null) as told
        from public.soundcloud_events where entity_id = ${assignment.id}`.execute(world.db);
      return (await the.facts.row(assignment)).closed_at !== null && rows[0]?.told;
    },
    RECOVERY_MS,
  );
}

/** Stops at a gate; the worker dies with its transaction open. */
async function beforeCommit(story: Story, supporter: Member, closing: Promise<Gate>) {
  const gate = await closing;
  const assignment = await publish(supporter);
  void act(assignment, story).catch(() => {});
  await eventually('the worker stands before the gate', () => gate.someoneWaits(), RECOVERY_MS);
  return { assignment, mend: () => gate.open() };
}

/** Stops the worker's line to Temporal at a gate, and lets only the transaction through. */
async function afterCommit(
  story: Story,
  supporter: Member,
  closing: Promise<Gate>,
  committed: (assignment: PublishedAssignment) => Promise<boolean>,
) {
  const gate = await closing;
  const assignment = await publish(supporter);
  void act(assignment, story).catch(() => {});
  return heard(assignment, gate, () => committed(assignment));
}

/** Waits at the gate, then lets the transaction through and nothing to Temporal. */
async function heard(assignment: PublishedAssignment, gate: Gate, committed: () => Promise<boolean>) {
  await eventually('the worker stands before the gate', () => gate.someoneWaits(), RECOVERY_MS);
  line.hold();
  await gate.open();
  await eventually('the transaction is committed', committed);
  return { assignment };
}
