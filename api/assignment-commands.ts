/** What people ask of an assignment. Each is an Update of its workflow, with the Signal as the second way. */
import { z } from 'zod';
import { findAssignment } from '../db/assignment-lists.js';
import { closedReason } from '../domain/assignment.js';
import { ASSIGNMENT_OUTCOMES, type AssignmentCommandName } from '../domain/assignment-commands.js';
import { assignmentDetail, assignmentDetailSchema } from './assignment-shape.js';
import type { Access } from './caller.js';
import { commandAnswers, runCommand } from './lifecycle-command.js';
import { Problem, type ProblemCode } from './problems.js';
import { defineLongRoute, type Route } from './route.js';
import { idParam, prose } from './schemas.js';

const params = z.object({ assignment_id: idParam('assignment') });
const reason = prose(4_000).min(1);

interface CommandRoute<B extends z.ZodType> {
  /** Last part of the path. */
  verb: string;
  name: AssignmentCommandName;
  access: Access;
  operationId: string;
  summary: string;
  description: string;
  body: B;
  refusals: readonly ProblemCode[];
  /** The workflow's words for the body. */
  payload(body: z.output<B>): Record<string, unknown>;
}

function defineCommand<B extends z.ZodType>(command: CommandRoute<B>): Route {
  const { verb, name, access, operationId, summary, description, body, refusals, payload } = command;
  return defineLongRoute<typeof params, z.ZodObject<Record<never, never>>, B>({
    method: 'post',
    path: `/v1/assignments/{assignment_id}/${verb}`,
    access,
    scope: null,
    operationId,
    tag: 'assignments',
    summary,
    description,
    params,
    body,
    answers: commandAnswers(assignmentDetailSchema, 'assignment'),
    problems: [
      'not_found',
      'malformed_command',
      'assignment_closed',
      'assignment_unpublished',
      ...refusals,
      'temporal_unavailable',
      'workflow_unavailable',
    ],
    handle: (context) => {
      const id = context.params.assignment_id;
      return runCommand(context, {
        entityType: 'assignment',
        name,
        payload: payload(context.body),
        async requireOpen(scope) {
          const row = await findAssignment(scope.trx, scope.orgId, id);
          if (row === undefined) throw new Problem('not_found');
          if (row.queue_status !== 'published') throw new Problem('assignment_unpublished');
          if (row.settled_at !== null)
            throw new Problem('assignment_closed', { detail: closedReason(row.status) });
          return { entityId: id, entityKey: null };
        },
        answer: async (scope) => ({ body: await assignmentDetail(context.deps, scope, id) }),
      });
    },
  });
}

const submitProof = defineCommand({
  verb: 'proof',
  name: 'submitProof',
  access: 'anyone',
  operationId: 'submitProof',
  summary: 'Hand in where the repost is',
  description:
    'For the supporter, until the deadline; a later address replaces the earlier one. The repost is looked for at once. An address that is neither the track, the supporter’s profile nor the repost is refused.',
  body: z
    .strictObject({
      url: z.string().min(1).max(2_048).describe('Address of the track, of your profile, or of the repost.'),
    })
    .meta({ id: 'Proof' }),
  refusals: ['proof_url_unrelated', 'proof_too_late', 'assignment_completed'],
  payload: ({ url }) => ({ url }),
});

const skip = defineCommand({
  verb: 'skip',
  name: 'skip',
  access: 'anyone',
  operationId: 'skipAssignment',
  summary: 'Say that it will not be reposted',
  description:
    'For the supporter, until the deadline. No credits move, reliability stays, and another supporter may take over.',
  body: z.strictObject({ reason }).meta({ id: 'Skip' }),
  refusals: ['proof_too_late', 'assignment_completed'],
  payload: ({ reason: text }) => ({ reason: text }),
});

const override = defineCommand({
  verb: 'override',
  name: 'overrideOutcome',
  access: 'ops',
  operationId: 'overrideAssignment',
  summary: 'Decide how it ends',
  description:
    'Until it is settled. completed: the repost counts and is watched, or, in the watch, the watch ends. skipped: no credits move. failed: no credits move and reliability falls. Answers the task that asks ops.',
  body: z.strictObject({ outcome: z.enum(ASSIGNMENT_OUTCOMES), reason }).meta({ id: 'Override' }),
  refusals: [],
  payload: ({ outcome, reason: text }) => ({ outcome, reason: text }),
});

export const assignmentCommandRoutes = [submitProof, skip, override];
