/** A submission as the API shows it. What ops keep among themselves is hidden from the member. */
import { z } from 'zod';
import {
  findSubmission,
  type SubmissionListRow,
  type WaitRow,
  waitOfEntity,
} from '../db/submission-lists.js';
import { submissionReviewId } from '../workflows/submission-review/contract.js';
import type { AppDeps } from './deps.js';
import { waitJson, waitSchema } from './inbox.js';
import { Problem } from './problems.js';
import { calendarDate, iso, isoOrNull, memberName, timestamp } from './schemas.js';
import type { Scope } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

export const submissionStatus = z.enum(['new', 'pending', 'approved', 'rejected', 'qa_flag']);

const fields = {
  id: z.uuid(),
  member_id: z.uuid().nullable().describe('Null only for imported history.'),
  member_name: memberName,
  client_id: z.uuid().nullable(),
  service_type: z.string().nullable(),
  track_url: z.string().describe('Canonical address.'),
  track_name: z.string().nullable(),
  track_urn: z.string().nullable(),
  live_link_url: z.string().nullable(),
  artist_name: z.string().nullable(),
  family: z.string().nullable().describe('Genre family.'),
  subgenres: z.array(z.string()),
  status: submissionStatus,
  submitted_at: timestamp.describe('Business time, as are decided_at, withdrawn_at and closed_at.'),
  decided_at: timestamp.nullable(),
  decided_by: z.uuid().nullable().describe('Ops only.'),
  reject_reason: z.string().nullable(),
  withdrawn_at: timestamp.nullable(),
  support_date: calendarDate.nullable(),
  support_url: z.string().nullable(),
  scheduled_date: calendarDate.nullable(),
  auto_shifted: z.boolean(),
  shift_reason: z.string().nullable(),
  shift_count: z.int(),
  expected_reach_min: z.int(),
  expected_reach_max: z.int(),
  expected_reach_planned: z.int(),
  suggested_supporters: z.array(z.uuid()).describe('Ops only.'),
  credits_consumed: z.int(),
  need_live_link: z.boolean(),
  qa_reason: z.string().nullable().describe('Ops only.'),
  notes: z.string().nullable().describe('Ops only.'),
  ip_tracking_url: z.string().nullable(),
  owner_id: z.uuid().nullable().describe('Ops only.'),
  imported_at: timestamp.nullable(),
  closed_at: timestamp.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
};

export const submissionSchema = z.object(fields).meta({ id: 'Submission' });

export const submissionDetailSchema = z
  .object({
    ...fields,
    wait: waitSchema
      .nullable()
      .describe(
        'What the review waits for. Members see it while it waits for them or for the decision, API keys never.',
      ),
    workflow: workflowLinkSchema.nullable().describe('Its review. Ops only; null for imported history.'),
  })
  .meta({ id: 'SubmissionDetail' });

export function submissionJson(
  row: SubmissionListRow,
  scope: Pick<Scope, 'ops'>,
): z.infer<typeof submissionSchema> {
  const { ops } = scope;
  return {
    id: row.id,
    member_id: row.member_id,
    member_name: row.member_name,
    client_id: row.client_id,
    service_type: row.service_type,
    track_url: row.track_url,
    track_name: row.track_name,
    track_urn: row.track_urn,
    live_link_url: row.live_link_url,
    artist_name: row.artist_name,
    family: row.family,
    subgenres: row.subgenres,
    status: row.status,
    submitted_at: iso(row.submitted_at),
    decided_at: isoOrNull(row.decided_at),
    decided_by: ops ? row.decided_by : null,
    reject_reason: row.reject_reason,
    withdrawn_at: isoOrNull(row.withdrawn_at),
    support_date: dateText(row.support_date),
    support_url: row.support_url,
    scheduled_date: dateText(row.scheduled_date),
    auto_shifted: row.auto_shifted,
    shift_reason: row.shift_reason,
    shift_count: row.shift_count,
    expected_reach_min: row.expected_reach_min,
    expected_reach_max: row.expected_reach_max,
    expected_reach_planned: row.expected_reach_planned,
    suggested_supporters: ops ? row.suggested_supporters : [],
    credits_consumed: row.credits_consumed,
    need_live_link: row.need_live_link,
    qa_reason: ops ? row.qa_reason : null,
    notes: ops ? row.notes : null,
    ip_tracking_url: row.ip_tracking_url,
    owner_id: ops ? row.owner_id : null,
    imported_at: isoOrNull(row.imported_at),
    closed_at: isoOrNull(row.closed_at),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}

/** One submission with its wait and its workflow. @throws Problem not_found, also for one the caller may not see */
export async function submissionDetail(
  deps: AppDeps,
  scope: Scope,
  id: string,
): Promise<z.infer<typeof submissionDetailSchema>> {
  const row = await findSubmission(scope.trx, scope.orgId, id);
  if (row === undefined) throw new Problem('not_found');
  // API keys have no rights on waits.
  const wait =
    scope.caller.kind === 'person' ? await waitOfEntity(scope.trx, scope.orgId, 'submission', id) : undefined;
  return {
    ...submissionJson(row, scope),
    wait: wait === undefined ? null : waitJson(scope.ops ? wait : inMembersWords(wait)),
    workflow:
      scope.ops && row.imported_at === null ? workflowLink(deps, submissionReviewId(scope.orgId, id)) : null,
  };
}

/** What is waited for as its member reads it: the commands of ops are not for members. */
function inMembersWords(wait: WaitRow): WaitRow {
  if (wait.waiting_on !== 'ops') return wait;
  const outlook =
    wait.stage === 'decision' ? 'the decision is mailed to you' : 'the team says whether it waits on';
  // Once it was published in a queue, others count on it.
  const open = wait.stage === 'decision' || wait.stage === 'queue';
  const wayOut = open ? '; withdraw takes the submission back' : '';
  return { ...wait, who_can_act: 'the team', how_to_act: `nothing to do: ${outlook}${wayOut}` };
}

/** The driver gives dates as text; the generated types do not know. */
function dateText(value: Date | string | null): string | null {
  return value === null ? null : String(value);
}
