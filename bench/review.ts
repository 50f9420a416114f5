/** Lifecycle throughput: whole reviews (created → decided → closed) against a bare workflow with the same activities. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { sql } from 'kysely';
import type { SubmissionCommandInput } from '../domain/submission-commands.js';
import { createStarter } from '../outbox/starter.js';
import { submissionReviewId, submissionUpdates } from '../workflows/submission-review/contract.js';
import type { BareReviewInput } from './bare-review.js';
import { type Bench, type BenchResult, median } from './result.js';
import { type BenchStack, startBenchStack } from './stack.js';

const ROUNDS = 7;
const REVIEWS = 60;
const AT_ONCE = 12;
const REASON = 'This track was already supported by our network twice in the last month.';
const BARE_QUEUE = 'bench-bare';

export const review: Bench = {
  name: 'review',
  target: 0.85,
  async run(report, size = 1): Promise<BenchResult> {
    const stack = await startBenchStack(report);
    const bare = await startBareWorker(stack);
    try {
      const reviews = Math.max(AT_ONCE, Math.round(REVIEWS * size));
      report(`warm-up with ${AT_ONCE} reviews of each kind`);
      await round(stack, AT_ONCE, decideOurs);
      await round(stack, AT_ONCE, decideBare);
      const rates: { ours: number; bare: number }[] = [];
      for (let n = 0; n < ROUNDS; n += 1) {
        // The order alternates, so that neither side always meets the fuller database.
        const [first, second] = n % 2 === 0 ? [decideOurs, decideBare] : [decideBare, decideOurs];
        const rate = {
          [first.name]: await round(stack, reviews, first),
          [second.name]: await round(stack, reviews, second),
        };
        const [ours, bareRate] = [rate.decideOurs ?? 0, rate.decideBare ?? 0];
        rates.push({ ours, bare: bareRate });
        report(`round ${n + 1}: ours ${ours.toFixed(1)}/s, bare ${bareRate.toFixed(1)}/s`);
      }
      return {
        ratio: median(rates.map(({ ours, bare: other }) => ours / other)),
        detail: {
          unit: 'whole reviews per second, created to rejected and closed, on the dev server in memory',
          ours: median(rates.map((rate) => rate.ours)),
          bare: median(rates.map((rate) => rate.bare)),
          rounds: rates,
          reviews,
          at_once: AT_ONCE,
          compared:
            'ours: started as the relay does, decided by an Update while it waits, with SLA timer, search attributes, details and courier. bare: the same activities with the same inputs one after the other, the decision known beforehand. Same worker process, same task queues for activities.',
        },
      };
    } finally {
      await bare.stop();
      await stack.stop();
    }
  },
};

type Decide = (stack: BenchStack, submissionId: string) => Promise<void>;

const decideOurs: Decide = async (stack, submissionId) => {
  const { client, config, orgId, adminId } = stack;
  await createStarter(client, config.SPARK_TASK_QUEUE).startAgain({
    entityType: 'submission',
    orgId,
    entityId: submissionId,
    entityKey: null,
  });
  const handle = client.workflow.getHandle(submissionReviewId(orgId, submissionId));
  const command: SubmissionCommandInput<'decide'> = { by: adminId, action: 'reject', reason: REASON };
  await handle.executeUpdate(submissionUpdates.decide, { args: [command] });
  await handle.result();
};

const decideBare: Decide = async (stack, submissionId) => {
  const { client, config, orgId, adminId } = stack;
  const input: BareReviewInput = {
    orgId,
    submissionId,
    by: adminId,
    reason: REASON,
    taskQueue: config.SPARK_TASK_QUEUE,
  };
  await client.workflow.execute('bareReviewWorkflow', {
    taskQueue: BARE_QUEUE,
    workflowId: `bare:${submissionId}`,
    args: [input],
  });
};

/** Decides so many new submissions, some at once. @returns reviews per second. */
async function round(stack: BenchStack, reviews: number, decide: Decide): Promise<number> {
  const waiting = await submissions(stack, reviews);
  const begun = process.hrtime.bigint();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) await decide(stack, id);
    }),
  );
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const { rows } = await sql<{ open: number }>`
    select count(*)::int as open from public.soundcloud_submissions where closed_at is null`.execute(
    stack.db,
  );
  if (rows[0]?.open !== 0) throw new Error(`${rows[0]?.open} reviews of the round are still open.`);
  return reviews / seconds;
}

/** New submissions of one member, with their tracks; their events are marked relayed, because the round starts them. */
async function submissions(stack: BenchStack, count: number): Promise<string[]> {
  const handle = `bench-${randomBytes(5).toString('hex')}`;
  await stack.sandbox.addUsers([{ handle, name: handle, followers: 1_000 }]);
  const tracks = await stack.sandbox.addTracks(
    Array.from({ length: count }, (_, n) => ({ handle, title: `Track ${n}`, genre: 'House', tags: [] })),
  );
  return stack.db.transaction().execute(async (trx) => {
    const { rows: members } = await sql<{ id: string }>`
      insert into public.soundcloud_members (org_id, name, emails, soundcloud_handle, monthly_submission_limit)
      values (${stack.orgId}, ${handle}, ${[`${handle}@bench.test`]}, ${handle}, ${count}) returning id`.execute(
      trx,
    );
    const { rows } = await sql<{ id: string }>`
      insert into public.soundcloud_submissions (org_id, member_id, track_url, submitted_at)
      select ${stack.orgId}, ${members[0]?.id}, url, private.business_now()
      from unnest(${tracks.map((track) => track.url)}::text[]) as url returning id`.execute(trx);
    await sql`update public.soundcloud_events set relayed_at = now() where relayed_at is null`.execute(trx);
    return rows.map((row) => row.id);
  });
}

async function startBareWorker(stack: BenchStack): Promise<{ stop(): Promise<void> }> {
  const connection = await NativeConnection.connect({ address: stack.config.TEMPORAL_ADDRESS });
  const worker = await Worker.create({
    connection,
    taskQueue: BARE_QUEUE,
    workflowsPath: fileURLToPath(new URL('./bare-review.ts', import.meta.url)),
  });
  const running = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
