/** What ops ask of a daily queue. Each is an Update of its workflow, with the Signal as the second way. */
import { z } from 'zod';
import { findQueue } from '../db/queue-lists.js';
import { queueIsClosed, whyLapsed } from '../domain/daily-queue.js';
import type { QueueCommandName } from '../domain/daily-queue-commands.js';
import { readIfMatch } from './etag.js';
import { commandAnswers, runCommand } from './lifecycle-command.js';
import { Problem, type ProblemCode } from './problems.js';
import { noQueue, queueDetail, queueDetailSchema } from './queue-shape.js';
import { dateParams, requestCheck } from './queues.js';
import { defineLongRoute, type Route } from './route.js';
import { id, prose } from './schemas.js';

interface QueueCommandRoute<B extends z.ZodType> {
  /** Last part of the path. */
  verb: string;
  name: QueueCommandName;
  operationId: string;
  summary: string;
  description?: string;
  body?: B;
  refusals?: readonly ProblemCode[];
  /** The workflow's words for the body. */
  payload(body: z.output<B>): Record<string, unknown>;
}

function defineCommand<B extends z.ZodType = z.ZodUndefined>(command: QueueCommandRoute<B>): Route {
  return defineLongRoute<typeof dateParams, z.ZodObject<Record<never, never>>, B>({
    method: 'post',
    path: `/v1/queues/{date}/${command.verb}`,
    access: 'ops',
    scope: null,
    ifMatch: 'optional',
    operationId: command.operationId,
    tag: 'queues',
    summary: command.summary,
    description: [
      command.description,
      'With If-Match (optional) it is refused when there is a newer draft than the one you saw.',
    ]
      .filter((text) => text !== undefined)
      .join('\n\n'),
    params: dateParams,
    ...(command.body !== undefined && { body: command.body }),
    answers: commandAnswers(queueDetailSchema, 'queue'),
    problems: [
      'not_found',
      'malformed_command',
      'queue_closed',
      'queue_already_approved',
      'queue_changed',
      ...(command.refusals ?? []),
      'temporal_unavailable',
      'workflow_unavailable',
    ],
    handle: (context) => {
      const { date } = context.params;
      const seen = revisionSeen(context.request.get('if-match'));
      return runCommand(context, {
        entityType: 'queue',
        name: command.name,
        // A change of the draft too: it counts with an approval that was asked for after it.
        countsWhenRequested: true,
        payload: { ...command.payload(context.body), ...(seen !== undefined && { ifRevision: seen }) },
        async requireOpen(scope) {
          const queue = await findQueue(scope.trx, scope.orgId, date);
          if (queue === undefined) throw noQueue(scope, date);
          if (queue.closed_at !== null) {
            const detail =
              queue.status === 'lapsed'
                ? whyLapsed(date, (await requestCheck(context.deps, scope, date)).ok)
                : queueIsClosed(date, queue.status);
            throw new Problem('queue_closed', { detail });
          }
          return { entityId: queue.id, entityKey: date };
        },
        answer: (scope) => queueDetail(context.deps, scope, date),
      });
    },
  });
}

/**
 * The draft a caller saw.
 * @throws Problem invalid_request for what is no ETag, queue_changed for one that no draft has
 */
function revisionSeen(header: string | undefined): number | undefined {
  const [tag, ...others] = readIfMatch(header);
  if (tag === undefined || tag === '*') return undefined;
  const revision = others.length > 0 ? undefined : /^"([1-9]\d{0,6})"$/u.exec(tag)?.[1];
  if (revision === undefined) {
    throw new Problem('queue_changed', { detail: 'If-Match takes the one ETag of the queue you have seen.' });
  }
  return Number(revision);
}

const reason = prose(4_000).min(1);
const pairRefusals = ['pair_excluded', 'pair_impossible', 'supporter_unknown', 'already_in_queue'] as const;

const approve = defineCommand({
  verb: 'approve',
  name: 'approve',
  operationId: 'approveQueue',
  summary: 'Approve the draft, in whole or in part: it is published at once',
  body: z
    .strictObject({
      exclude_assignment_ids: z.array(id).max(10_000).optional().describe('These do not go out.'),
    })
    .meta({ id: 'QueueApproval' }),
  description:
    'It counts when it was asked for before the cut-off, with the changes asked for before it, also when the queue finds it later; but not when no slot of the date is left by then, nor after a `regenerate` that is still open.',
  refusals: ['assignment_not_in_queue', 'too_late_to_publish'],
  payload: ({ exclude_assignment_ids }) =>
    exclude_assignment_ids === undefined ? {} : { excludeAssignmentIds: exclude_assignment_ids },
});

const regenerate = defineCommand({
  verb: 'regenerate',
  name: 'regenerate',
  operationId: 'regenerateQueue',
  summary: 'Draft it anew from the facts of the moment',
  description: 'What ops swapped, dropped or added before is gone. The cut-off stays.',
  refusals: ['too_late_to_generate', 'generation_failed'],
  payload: () => ({}),
});

const swap = defineCommand({
  verb: 'assignments/swap',
  name: 'swapAssignment',
  operationId: 'swapQueueAssignment',
  summary: 'Give an assignment to another supporter',
  description:
    'The rules of generation hold; with a reason ops insist against what a reason can put right, audited.',
  body: z
    .strictObject({ assignment_id: id, supporter_id: id, reason: reason.optional() })
    .meta({ id: 'QueueSwap' }),
  refusals: ['assignment_not_in_queue', 'submission_not_due', ...pairRefusals],
  payload: ({ assignment_id, supporter_id, reason: why }) => ({
    assignmentId: assignment_id,
    supporterId: supporter_id,
    ...(why !== undefined && { reason: why }),
  }),
});

const drop = defineCommand({
  verb: 'assignments/drop',
  name: 'dropAssignment',
  operationId: 'dropQueueAssignment',
  summary: 'Take an assignment out',
  body: z.strictObject({ assignment_id: id, reason: reason.optional() }).meta({ id: 'QueueDrop' }),
  refusals: ['assignment_not_in_queue'],
  payload: ({ assignment_id, reason: why }) => ({
    assignmentId: assignment_id,
    ...(why !== undefined && { reason: why }),
  }),
});

const add = defineCommand({
  verb: 'assignments/add',
  name: 'addAssignment',
  operationId: 'addQueueAssignment',
  summary: 'Add an assignment',
  description:
    'The rules of generation hold; with a reason ops insist against what a reason can put right, audited.',
  body: z
    .strictObject({ submission_id: id, supporter_id: id, reason: reason.optional() })
    .meta({ id: 'QueueAddition' }),
  refusals: ['submission_not_due', ...pairRefusals],
  payload: ({ submission_id, supporter_id, reason: why }) => ({
    submissionId: submission_id,
    supporterId: supporter_id,
    ...(why !== undefined && { reason: why }),
  }),
});

export const queueCommandRoutes = [approve, regenerate, swap, drop, add];
