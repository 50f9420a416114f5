/** What people ask of a submission's review. Each is an Update of its workflow, with the Signal as the second way. */

import { z } from 'zod';
import { findSubmission } from '../db/submission-lists.js';
import type { SubmissionCommandName } from '../domain/submission-commands.js';
import { endOfReview, submissionIsClosed } from '../domain/submission-review-support.js';
import type { Access, KeyScope } from './caller.js';
import { commandAnswers, runCommand } from './lifecycle-command.js';
import { Problem, type ProblemCode } from './problems.js';
import { type Answer, defineLongRoute, type LongContext, type Route } from './route.js';
import { id, idParam, prose } from './schemas.js';
import { submissionDetail, submissionDetailSchema } from './submission-shape.js';

const params = z.object({ submission_id: idParam('submission') });

interface CommandRoute<B extends z.ZodType> {
  /** Last part of the path. */
  verb: string;
  name: SubmissionCommandName;
  access: Access;
  scope: KeyScope | null;
  summary: string;
  description?: string;
  body?: B;
  refusals: readonly ProblemCode[];
  /** The workflow's words for the body. */
  payload(body: z.output<B>): Record<string, unknown>;
}

function defineCommand<B extends z.ZodType = z.ZodUndefined>(command: CommandRoute<B>): Route {
  return defineLongRoute<typeof params, z.ZodObject<Record<never, never>>, B>({
    method: 'post',
    path: `/v1/submissions/{submission_id}/${command.verb}`,
    access: command.access,
    scope: command.scope,
    operationId: `${command.name}Submission`,
    tag: 'submissions',
    summary: command.summary,
    ...(command.description !== undefined && { description: command.description }),
    params,
    ...(command.body !== undefined && { body: command.body }),
    answers: commandAnswers(submissionDetailSchema, 'submission'),
    problems: [
      'not_found',
      'malformed_command',
      'submission_closed',
      ...command.refusals,
      'temporal_unavailable',
      'workflow_unavailable',
    ],
    handle: (context) => run(context, command.name, command.payload(context.body)),
  });
}

function run(
  context: LongContext<z.output<typeof params>, unknown, unknown>,
  name: SubmissionCommandName,
  payload: Record<string, unknown>,
): Promise<Answer<unknown>> {
  const submissionId = context.params.submission_id;
  return runCommand(context, {
    entityType: 'submission',
    name,
    payload,
    async requireOpen(scope) {
      const row = await findSubmission(scope.trx, scope.orgId, submissionId);
      if (row === undefined) throw new Problem('not_found');
      if (row.imported_at !== null) {
        throw new Problem('submission_closed', {
          detail: 'This submission is imported history; it takes no commands.',
        });
      }
      if (row.closed_at !== null) {
        throw new Problem('submission_closed', { detail: submissionIsClosed(endOfReview(row)) });
      }
      return { entityId: submissionId, entityKey: null };
    },
    answer: async (scope) => ({ body: await submissionDetail(context.deps, scope, submissionId) }),
  });
}

const decide = defineCommand({
  verb: 'decide',
  name: 'decide',
  access: 'ops',
  scope: null,
  summary: 'Approve, reject, look into, or flag',
  description:
    'approve: the target builder runs and the track goes into the next queue. reject: needs a reason of at least 10 words, which the member reads. pend: looked at, the clock runs on; with need_live_link the member is asked for the public link and the clock stands still. flag: for quality, with a reason.',
  body: z
    .strictObject({
      action: z.enum(['approve', 'reject', 'pend', 'flag']),
      reason: prose(4_000).optional(),
      family: z
        .string()
        .trim()
        .min(1)
        .max(100)
        .optional()
        .describe('Genre family; approve needs it when it is unknown.'),
      need_live_link: z.boolean().optional().describe('With pend.'),
    })
    .meta({ id: 'Decision' }),
  refusals: [
    'already_decided',
    'waiting_for_live_link',
    'reason_too_short',
    'reason_required',
    'family_required',
    'family_unknown',
  ],
  payload: ({ action, reason, family, need_live_link }) => ({
    action,
    ...(reason !== undefined && { reason }),
    ...(family !== undefined && { family }),
    ...(need_live_link !== undefined && { needLiveLink: need_live_link }),
  }),
});

const assignOwner = defineCommand({
  verb: 'assign-owner',
  name: 'assignOwner',
  access: 'ops',
  scope: null,
  summary: 'Say who of ops takes care of it',
  body: z.strictObject({ owner_id: id.nullable().describe('An admin or moderator; null for nobody.') }),
  refusals: ['owner_not_ops'],
  payload: ({ owner_id }) => ({ ownerId: owner_id }),
});

const withdraw = defineCommand({
  verb: 'withdraw',
  name: 'withdraw',
  access: 'anyone',
  scope: 'submissions:write',
  summary: 'Take it back',
  description: "Possible until a queue with it is published. The month's submission slot is free again.",
  refusals: ['queue_published'],
  payload: () => ({}),
});

const provideLiveLink = defineCommand({
  verb: 'provide-live-link',
  name: 'provideLiveLink',
  access: 'anyone',
  scope: 'submissions:write',
  summary: 'Hand in the public link that was asked for',
  body: z.strictObject({ url: z.string().min(1).max(2_000) }),
  refusals: ['not_waiting_for_live_link', 'live_link_not_a_track'],
  payload: ({ url }) => ({ url }),
});

const keepWaiting = defineCommand({
  verb: 'keep-waiting',
  name: 'keepWaiting',
  access: 'ops',
  scope: null,
  summary: 'Let it wait on for a queue',
  description: 'The answer to the task that asks after many shifts whether to go on.',
  refusals: ['not_approved', 'not_asked'],
  payload: () => ({}),
});

const closeSupport = defineCommand({
  verb: 'close-support',
  name: 'closeSupport',
  access: 'ops',
  scope: null,
  summary: 'Give up the search for supporters',
  description:
    'With reposts that stayed up the submission ends as supported, without any as unsupported: the slot of the month is free again and the member reads the reason.',
  body: z.strictObject({ reason: prose(4_000) }),
  refusals: ['not_approved', 'assignments_open', 'reason_required'],
  payload: ({ reason }) => ({ reason }),
});

export const submissionCommandRoutes = [
  decide,
  assignOwner,
  withdraw,
  provideLiveLink,
  keepWaiting,
  closeSupport,
];
