/** Stories of assignments, to be recorded; together they go through every step the workflow has. */
import { sql } from 'kysely';
import {
  ASSIGNMENT_TYPE,
  assignmentSignals,
  assignmentUpdates,
} from '../../workflows/assignment/contract.js';
import { assignmentsOf } from '../support/assignments.js';
import { eventually } from '../support/review-facts.js';
import type { World } from '../support/world.js';

type Handle = ReturnType<World['client']['workflow']['getHandle']>;
type Save = (lifecycle: string, name: string, handle: Handle) => Promise<void>;

const LIMIT_MS = 120_000;

export const ASSIGNMENT_STORIES: Record<string, (world: World, save: Save) => Promise<void>> = {
  async 'an assignment proven, watched and captured, with refused commands'(world, save) {
    await hours(world, 6);
    const the = assignmentsOf(world);
    const assignment = await the.publishOne();
    await the.opened(assignment);
    const handle = the.handleOf(assignment);
    await handle.signal('submitProof', 'rubbish');
    await handle.signal(assignmentSignals.submitProof, { by: 'supporter', url: 'https://example.com/proof' });
    await the.repost(assignment);
    await handle.executeUpdate(assignmentUpdates.submitProof, {
      args: [{ by: 'supporter', url: assignment.submission.trackUrl }],
    });
    await handle.result();
    await save('assignment', 'captured', handle);

    const again = await world.client.workflow.start(ASSIGNMENT_TYPE, {
      workflowId: assignment.workflowId,
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, assignmentId: assignment.id }],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    await again.result();
    await save('assignment', 'started-on-a-closed-row', again);
  },

  async 'an assignment not made, and one taken down'(world, save) {
    const the = assignmentsOf(world);
    const [missing, removed] = await the.publish({ count: 2 });
    if (missing === undefined || removed === undefined) throw new Error('two were published');
    for (const assignment of [missing, removed])
      await the.repost(await the.publishOne({ supporters: [assignment.supporter], slotInHours: 2_000 }));
    await the.repost(removed);
    await the.handleOf(removed).signal(assignmentSignals.scheduleReported, { status: 'completed' });
    await the.inStage(removed, 'watch');
    await the.unrepost(removed);
    await the.handleOf(missing).result();
    await the.handleOf(removed).result();
    await save('assignment', 'absent', the.handleOf(missing));
    await save('assignment', 'unreposted', the.handleOf(removed));
  },

  async 'an assignment that cannot be verified, decided by ops and without them; one skipped'(world, save) {
    const the = assignmentsOf(world);
    const [silent, judged, skipped] = await the.publish({ count: 3 });
    if (silent === undefined || judged === undefined || skipped === undefined)
      throw new Error('three were published');
    for (const assignment of [silent, judged, skipped]) await the.opened(assignment);
    await the.handleOf(skipped).executeUpdate(assignmentUpdates.skip, {
      args: [{ by: 'supporter', reason: 'On holiday.' }],
    });
    await the.inStage(judged, 'ops', LIMIT_MS);
    await the.handleOf(judged).executeUpdate(assignmentUpdates.overrideOutcome, {
      args: [{ by: world.adminId, outcome: 'failed', reason: 'It was not there.' }],
    });
    for (const assignment of [silent, judged, skipped]) await the.handleOf(assignment).result();
    await save('assignment', 'unverified', the.handleOf(silent));
    await save('assignment', 'judged', the.handleOf(judged));
    await save('assignment', 'skipped', the.handleOf(skipped));
  },

  async 'an assignment while SoundCloud is away, with a short link'(world, save) {
    const { admin } = world.sandbox;
    const the = assignmentsOf(world);
    const assignment = await the.publishOne();
    await the.opened(assignment);
    const link = await admin.addShortLink('proof', assignment.submission.trackUrl);
    await admin.addFault('soundcloud', { kind: 'status', status: 503, path: '/resolve' });
    await the.handleOf(assignment).executeUpdate(assignmentUpdates.submitProof, {
      args: [{ by: 'supporter', url: link }],
    });
    await eventually('the pause', async () => (await the.facts.wait(assignment))?.paused, LIMIT_MS);
    await the.repost(assignment);
    await admin.clearFaults('soundcloud');
    await the.handleOf(assignment).result();
    await save('assignment', 'provider-down', the.handleOf(assignment));
  },

  async 'an assignment continued as new'(world, save) {
    await hours(world, 500);
    const { admin } = world.sandbox;
    const the = assignmentsOf(world);
    await admin.addFault('mailbox', { kind: 'status', status: 503, path: '/emails' });
    const assignment = await the.publishOne();
    const handle = the.handleOf(assignment);
    await eventually('the opening', async () => (await the.facts.wait(assignment)) !== undefined);
    const { runId: first } = await handle.describe();
    while ((await handle.describe()).runId === first) {
      await handle.executeUpdate(assignmentUpdates.submitProof, {
        args: [{ by: 'supporter', url: assignment.submission.trackUrl }],
      });
    }
    await admin.clearFaults('mailbox');
    await handle.executeUpdate(assignmentUpdates.overrideOutcome, {
      args: [{ by: world.adminId, outcome: 'skipped', reason: 'Enough.' }],
    });
    await handle.result();
    await save(
      'assignment',
      'continued-first-run',
      world.client.workflow.getHandle(handle.workflowId, first),
    );
    await save('assignment', 'continued-last-run', handle);
  },
};

/** Short days, so that a story takes seconds. */
async function hours(world: World, proof: number): Promise<void> {
  await sql`update public.soundcloud_settings
    set proof_sla_hours = ${proof}, watch_hours = 4, review = review || '{"proof_answer_hours": 3}'
    where org_id = ${world.orgId}`.execute(world.db);
}
