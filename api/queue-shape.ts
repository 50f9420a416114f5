/** A queue as the API shows it. Members see published queues with their own assignments; the reasons are for ops. */
import { z } from 'zod';
import { assignmentTracks } from '../db/assignment-tracks.js';
import { type DraftRow, loadDraft } from '../db/queue-drafts.js';
import { findQueue, listQueueAssignments, type QueueAssignmentRow } from '../db/queue-lists.js';
import type { DraftAssignment, QueueRow } from '../db/queues.js';
import { waitOfEntity } from '../db/submission-lists.js';
import { MOST_DAYS_AHEAD } from '../domain/daily-queue.js';
import type { UnusedSupporter } from '../domain/queue-generation-types.js';
import { dailyQueueId } from '../workflows/daily-queue/contract.js';
import type { AppDeps } from './deps.js';
import { etagOf } from './etag.js';
import { waitJson, waitSchema } from './inbox.js';
import { Problem } from './problems.js';
import type { Answer } from './route.js';
import { calendarDate, iso, isoOrNull, memberName, timestamp, withTimes } from './schemas.js';
import { asLogin, type Scope } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

export const queueStatus = z.enum(['draft', 'approved', 'published', 'lapsed']);
const facts = z.record(z.string(), z.unknown());

const queueFields = {
  id: z.uuid(),
  date: calendarDate,
  status: queueStatus,
  revision: z.int().describe('The newest draft.'),
  total_slots: z.int().describe('Slots of supporters nothing spoke against.'),
  filled_slots: z.int(),
  approve_by: timestamp.nullable().describe('The cut-off, business time, as are all times here.'),
  approved_at: timestamp.nullable(),
  approved_by: z.uuid().nullable().describe('Ops only.'),
  published_at: timestamp.nullable(),
  settled_at: timestamp.nullable(),
  closed_at: timestamp.nullable(),
  totals: facts.describe('What became of it, once it is settled.'),
  notes: z.string().nullable().describe('Ops only.'),
};

export const queueSchema = z.object(queueFields).meta({ id: 'Queue' });

const trackSchema = z.object({
  url: z.string(),
  name: z.string().nullable(),
  artist: z.string().nullable(),
});

const explanationSchema = z.object({
  because: z.string().describe('Why this supporter, in a sentence.'),
  affinity: z.number(),
  reliability: z.number(),
  score_parts: facts,
  override: facts.nullable().describe('Ops insisted against the rules: codes, reason, by.'),
});

const assignmentSchema = z
  .object({
    id: z.uuid(),
    position: z.int(),
    submission_id: z.uuid(),
    supporter_id: z.uuid(),
    supporter_name: memberName,
    track: trackSchema.nullable(),
    slot_at: timestamp.nullable(),
    credits: z.int().describe('The frozen price.'),
    reach: z.int().nullable(),
    status: z.enum(['assigned', 'completed', 'skipped', 'failed']),
    outcome_reason: z.string().nullable(),
    proof_url: z.string().nullable(),
    replacement_for: z.uuid().nullable(),
    settled_at: timestamp.nullable(),
    explanation: explanationSchema.nullable().describe('Ops only; null for one that came after publishing.'),
  })
  .meta({ id: 'QueueAssignment' });

export const unfilledSchema = z
  .object({
    submission_id: z.uuid(),
    served: z.boolean(),
    code: z.string(),
    missing: z.int().nullable().describe('Assignments still owed of a replacement; null for a first queue.'),
    facts,
  })
  .meta({ id: 'UnfilledDemand' });

export const unusedSchema = z
  .object({ member_id: z.uuid(), member_name: memberName, code: z.string(), facts })
  .meta({ id: 'UnusedSupporter' });

export const queueDetailSchema = z
  .object({
    ...queueFields,
    assignments: z.array(assignmentSchema),
    unfilled: z.array(unfilledSchema).describe('Demand without a place, each with its reason. Ops only.'),
    wait: waitSchema.nullable().describe('What the queue waits for. Ops only.'),
    workflow: workflowLinkSchema.nullable().describe('Ops only.'),
  })
  .meta({ id: 'QueueDetail' });

export function queueJson(row: QueueRow, scope: Pick<Scope, 'ops'>): z.infer<typeof queueSchema> {
  return {
    id: row.id,
    date: row.date,
    status: queueStatus.parse(row.status),
    revision: row.revision,
    total_slots: row.total_slots,
    filled_slots: row.filled_slots,
    approve_by: isoOrNull(row.approve_by),
    approved_at: isoOrNull(row.approved_at),
    approved_by: scope.ops ? row.approved_by_id : null,
    published_at: isoOrNull(row.published_at),
    settled_at: isoOrNull(row.settled_at),
    closed_at: isoOrNull(row.closed_at),
    totals: row.totals as Record<string, unknown>,
    notes: scope.ops ? row.notes : null,
  };
}

/** There is none of that date, or none the caller may see. */
export function noQueue({ ops, caller }: Pick<Scope, 'ops' | 'caller'>, date: string): Problem {
  const detail =
    ops && caller.kind === 'person'
      ? `There is no queue of ${date}. POST /v1/queues asks for one of today or of the next ${MOST_DAYS_AHEAD} days; none is made for a date that no approved submission waits for, or whose submissions another draft has.`
      : ops
        ? `There is no queue of ${date}.`
        : `There is no published queue of ${date}.`;
  return new Problem('not_found', { detail });
}

/** One queue with what is in it. @throws Problem not_found, also for one the caller may not see */
export async function queueDetail(
  deps: AppDeps,
  scope: Scope,
  date: string,
): Promise<Answer<z.infer<typeof queueDetailSchema>>> {
  const { trx, orgId } = scope;
  const queue = await findQueue(trx, orgId, date);
  if (queue === undefined) throw noQueue(scope, date);
  const rows = await listQueueAssignments(trx, orgId, queue.id);
  const ids = rows.map((row) => row.id);
  const tracks = await asLogin(scope, (login) => assignmentTracks(login, ids));
  // API keys have no rights on drafts and waits.
  const person = scope.ops && scope.caller.kind === 'person';
  const draft = person ? await loadDraft(trx, orgId, queue.id, queue.revision) : undefined;
  const wait = person ? await waitOfEntity(trx, orgId, 'queue', queue.id) : undefined;
  const reasons = new Map(draft?.assignments.map((assignment) => [assignment.id, assignment]));
  return {
    headers: { ETag: etagOf(queue.revision) },
    body: {
      ...queueJson(queue, scope),
      assignments: rows.map((row) => {
        const track = tracks.get(row.id);
        return {
          ...assignmentJson(row, reasons.get(row.id)),
          track:
            track === undefined
              ? null
              : { url: track.track_url, name: track.track_name, artist: track.artist_name },
        };
      }),
      unfilled: unfilledJson(draft),
      wait: wait === undefined ? null : waitJson(wait),
      workflow: scope.ops ? workflowLink(deps, dailyQueueId(orgId, date)) : null,
    },
  };
}

function assignmentJson(
  row: QueueAssignmentRow,
  planned: DraftAssignment | undefined,
): Omit<z.infer<typeof assignmentSchema>, 'track'> {
  return {
    id: row.id,
    position: row.position,
    submission_id: row.submission_id,
    supporter_id: row.supporter_id,
    supporter_name: row.supporter_name,
    slot_at: isoOrNull(row.slot_at),
    credits: row.credits_allocated,
    reach: row.reach,
    status: row.status as z.infer<typeof assignmentSchema>['status'],
    outcome_reason: row.outcome_reason,
    proof_url: row.proof_url,
    replacement_for: row.replacement_for,
    settled_at: isoOrNull(row.settled_at),
    explanation:
      planned === undefined
        ? null
        : {
            because: planned.because,
            affinity: planned.affinity,
            reliability: planned.reliability,
            score_parts: { ...planned.score_parts },
            override: planned.override === null ? null : { ...planned.override },
          },
  };
}

export function unfilledJson(
  draft: Pick<DraftRow, 'unfilled'> | undefined,
): z.infer<typeof unfilledSchema>[] {
  return (draft?.unfilled ?? []).map(({ submission_id, served, code, missing, facts: because }) => ({
    submission_id,
    served,
    code,
    missing,
    facts: because,
  }));
}

export function unusedJson({
  member_id,
  member_name,
  code,
  facts: because,
}: UnusedSupporter & { member_name: string | null }): z.infer<typeof unusedSchema> {
  return { member_id, member_name, code, facts: because };
}

const draftTimes = {
  generated_at: timestamp.describe('When the facts were read.'),
  earliest: timestamp.describe('No slot is earlier.'),
  opens_at: timestamp.describe('First possible slot.'),
  closes_at: timestamp.describe('Every slot is earlier.'),
};

export const draftExplanationSchema = z
  .looseObject(draftTimes)
  .partial()
  .describe(
    'Of a generated draft: the rules, settings, counts, totals and business times it rests on. Of a later one: the draft it changes, and what changed.',
  );

export function draftExplanation(stored: object): z.infer<typeof draftExplanationSchema> {
  return withTimes({ ...stored }, Object.keys(draftTimes));
}

/** An assignment of a draft, which has no life of its own yet. */
export const plannedSchema = z
  .object({
    id: z.uuid().nullable().describe('Null in a dry run.'),
    position: z.int(),
    submission_id: z.uuid(),
    supporter_id: z.uuid(),
    supporter_name: memberName,
    handle: z.string(),
    slot_at: timestamp,
    credits: z.int(),
    reach: z.int(),
    because: z.string(),
    override: facts.nullable(),
  })
  .meta({ id: 'PlannedAssignment' });

export type Planned = Omit<DraftAssignment, 'id' | 'override' | 'replacement_for'> & Partial<DraftAssignment>;

/** @param names of members by id */
export function plannedJson(
  assignment: Planned,
  names: ReadonlyMap<string, string>,
): z.infer<typeof plannedSchema> {
  const { position, submission_id, supporter_id, handle, slot_at, credits, reach, because } = assignment;
  const override = assignment.override ?? null;
  return {
    id: assignment.id ?? null,
    position,
    submission_id,
    supporter_id,
    supporter_name: names.get(supporter_id) ?? null,
    handle,
    slot_at: iso(new Date(slot_at)),
    credits,
    reach,
    because,
    override: override === null ? null : { ...override },
  };
}
