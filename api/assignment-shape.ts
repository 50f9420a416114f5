/** An assignment as the API shows it, to its supporter and to ops. */
import { z } from 'zod';
import {
  type AssignmentListRow,
  type AssignmentWaitRow,
  assignmentWaits,
  findAssignment,
} from '../db/assignment-lists.js';
import { assignmentTracks } from '../db/assignment-tracks.js';
import { assignmentWorkflowId } from '../workflows/assignment/contract.js';
import type { AppDeps } from './deps.js';
import { waitJson, waitSchema } from './inbox.js';
import { Problem } from './problems.js';
import { calendarDate, iso, isoOrNull, memberName, timestamp } from './schemas.js';
import { asLogin, type Scope } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

export const assignmentStatus = z.enum(['assigned', 'completed', 'skipped', 'failed']);

const fields = {
  id: z.uuid(),
  queue_id: z.uuid(),
  queue_date: calendarDate,
  submission_id: z.uuid(),
  supporter_id: z.uuid(),
  supporter_name: memberName,
  replacement_for: z.uuid().nullable().describe('The skipped or failed assignment it takes the place of.'),
  position: z.int(),
  status: assignmentStatus,
  outcome_reason: z.string().nullable(),
  track: z
    .object({
      url: z.string(),
      name: z.string().nullable(),
      artist_name: z.string().nullable(),
      family: z.string().nullable().describe('Genre family.'),
    })
    .nullable(),
  credits: z
    .int()
    .describe(
      'What the artist pays; the supporter earns it less the fee of the network, which is rounded down.',
    ),
  reach: z.int().nullable(),
  slot_at: timestamp
    .nullable()
    .describe('When to repost. Business time, as are the other times but created_at.'),
  proof_url: z.string().nullable(),
  proof_submitted_at: timestamp.nullable(),
  completed_at: timestamp.nullable().describe('Since when the repost counts; then the watch begins.'),
  provisional: z.boolean().describe('Accepted although nobody ever saw the repost.'),
  settled_at: timestamp.nullable().describe('Credits have moved; the outcome stands.'),
  verified_by: z
    .enum(['soundcloud', 'people'])
    .describe('people: SoundCloud is not configured, so nothing is verified and ops judge the proofs.'),
  wait: waitSchema.nullable().describe('What it waits for, and until when; null once it is settled.'),
  created_at: timestamp,
};

export const assignmentSchema = z.object(fields).meta({ id: 'Assignment' });

export const assignmentDetailSchema = z
  .object({ ...fields, workflow: workflowLinkSchema.nullable().describe('Ops only.') })
  .meta({ id: 'AssignmentDetail' });

/** Rows with their tracks and waits. */
export async function assignmentsJson(
  scope: Scope,
  rows: readonly AssignmentListRow[],
): Promise<z.infer<typeof assignmentSchema>[]> {
  const ids = rows.map((row) => row.id);
  const { tracks, waits } = await asLogin(scope, async (trx) => ({
    tracks: await assignmentTracks(trx, ids),
    waits: await assignmentWaits(trx, ids),
  }));
  return rows.map((row) => {
    const track = tracks.get(row.id);
    const wait = waits.get(row.id);
    return {
      id: row.id,
      queue_id: row.queue_id,
      queue_date: row.queue_date,
      submission_id: row.submission_id,
      supporter_id: row.supporter_id,
      supporter_name: row.supporter_name,
      replacement_for: row.replacement_for,
      position: row.position,
      status: assignmentStatus.parse(row.status),
      outcome_reason: row.outcome_reason,
      track:
        track === undefined
          ? null
          : {
              url: track.track_url,
              name: track.track_name,
              artist_name: track.artist_name,
              family: track.family,
            },
      credits: row.credits_allocated,
      reach: row.reach,
      slot_at: isoOrNull(row.slot_at),
      proof_url: row.proof_url,
      proof_submitted_at: isoOrNull(row.proof_submitted_at),
      completed_at: isoOrNull(row.completed_at),
      provisional: row.provisional,
      settled_at: isoOrNull(row.settled_at),
      verified_by: wait?.degraded === true ? 'people' : 'soundcloud',
      wait: waitOf(wait),
      created_at: iso(row.created_at),
    };
  });
}

/** One assignment. @throws Problem not_found, also for one the caller may not see */
export async function assignmentDetail(
  deps: AppDeps,
  scope: Scope,
  id: string,
): Promise<z.infer<typeof assignmentDetailSchema>> {
  const row = await findAssignment(scope.trx, scope.orgId, id);
  if (row === undefined) throw new Problem('not_found');
  const [json] = await assignmentsJson(scope, [row]);
  if (json === undefined) throw new Problem('not_found');
  const workflow = scope.ops ? workflowLink(deps, assignmentWorkflowId(scope.orgId, id)) : null;
  return { ...json, workflow };
}

function waitOf(wait: AssignmentWaitRow | undefined): z.infer<typeof waitSchema> | null {
  if (wait === undefined || wait.stage === null) return null;
  return waitJson({
    ...wait,
    stage: wait.stage,
    entity_type: 'assignment',
    entity_id: wait.assignment_id,
  });
}
