/** What ops do to the draft of a queue, through the API. */
import { z } from 'zod';
import { PARTS, type PlannedRepost } from './queue-plan.js';
import type { Stage } from './stage.js';

const assignmentRow = z.object({
  id: z.uuid(),
  submission_id: z.uuid(),
  supporter_id: z.uuid(),
  slot_at: z.iso.datetime({ offset: true }),
  replacement_for: z.uuid().nullable(),
});
const queueRow = z.object({ status: z.string(), assignments: z.array(assignmentRow) });

/** An assignment of a draft, or of a queue that is out. */
export type QueuedAssignment = z.output<typeof assignmentRow>;

/** Swaps in, drops and adds, until a track has those in the draft whom the plan names: the first at the latest slot. */
export async function bringIn(
  stage: Stage,
  date: string,
  track: string,
  cast: readonly PlannedRepost[],
): Promise<void> {
  const moderator = stage.ops('moderator');
  const { network } = stage;
  const submission_id = stage.submitted(track).id;
  const path = `/v1/queues/${date}/assignments`;
  const handleOf = (row: QueuedAssignment) => network.handleOf(row.supporter_id);
  const named = (row: QueuedAssignment) => cast.some(({ handle }) => handle === handleOf(row));
  const drafted = (await readQueue(stage, date)).assignments
    .filter((row) => row.submission_id === submission_id)
    .sort((a, b) => Date.parse(b.slot_at) - Date.parse(a.slot_at));
  const missing = cast.filter(({ handle }) => !drafted.some((row) => handleOf(row) === handle));
  for (const row of drafted.filter((one) => !named(one))) {
    const next = missing.shift();
    const old = network.nameOf(handleOf(row));
    if (next === undefined) {
      await stage.act(
        moderator,
        `${path}/drop`,
        { assignment_id: row.id },
        `Moderator takes ${old} out of the draft for ${track}.`,
      );
    } else {
      await stage.act(
        moderator,
        `${path}/swap`,
        { assignment_id: row.id, supporter_id: network.idOf(next.handle) },
        `In the draft for ${track} moderator has ${network.nameOf(next.handle)} come in for ${old}: ${part(next)}.`,
      );
    }
  }
  for (const one of missing) {
    const { handle } = one;
    await stage.act(
      moderator,
      `${path}/add`,
      { submission_id, supporter_id: network.idOf(handle) },
      `To the draft for ${track} moderator adds ${network.nameOf(handle)}: ${part(one)}.`,
    );
  }
}

/** The script's reason; ops of a real network would have their own. */
function part({ world }: PlannedRepost): string {
  return `the story needs a supporter ${PARTS[world]}`;
}

/** The queue of a date as ops see it. */
export async function readQueue(stage: Stage, date: string): Promise<z.output<typeof queueRow>> {
  return stage.ops('moderator').must(queueRow, 'GET', `/v1/queues/${date}`);
}
