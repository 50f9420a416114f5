/** What people ask of a submission's review. Each is an Update of its workflow, with the Signal as the second way. */
import { z } from 'zod';
import { findCommand, requestCommand } from '../db/commands.js';
import { findSubmission } from '../db/submission-lists.js';
import type { SubmissionCommandName } from '../domain/submission-commands.js';
import { lifecycleOf } from '../outbox/lifecycles.js';
import { audit } from './audit.js';
import { type Access, callerKey, type KeyScope } from './caller.js';
import { commandJson, commandSchema } from './commands.js';
import { callerOf } from './middleware/authenticate.js';
import { toProblem } from './middleware/errors.js';
import { Problem, type ProblemCode } from './problems.js';
import { type Answer, defineLongRoute, type LongContext, type Route } from './route.js';
import { id, idParam, prose } from './schemas.js';
import { asLogin } from './scope.js';
import { commandId, sendCommand } from './send-command.js';
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
    answers: {
      200: { description: 'Applied: the submission as it is now.', schema: submissionDetailSchema },
      202: {
        description: 'No worker answered in time: it is applied or refused later, as the command says.',
        schema: commandSchema,
        headers: { Location: 'Address of the command.' },
      },
    },
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

async function run(
  context: LongContext<z.output<typeof params>, unknown, unknown>,
  name: SubmissionCommandName,
  payload: Record<string, unknown>,
): Promise<Answer<unknown>> {
  const { request, deps, inScope, idempotencyKey } = context;
  const submissionId = context.params.submission_id;
  const caller = callerOf(request);
  const by = caller.kind === 'person' ? caller.userId : callerKey(caller);
  const id = commandId(callerKey(caller), request.method, request.path, idempotencyKey);
  const full = { ...payload, by, commandId: id };

  const requireOpen = () =>
    inScope(async (scope) => {
      const row = await findSubmission(scope.trx, scope.orgId, submissionId);
      if (row === undefined) throw new Problem('not_found');
      if (row.imported_at !== null) {
        throw new Problem('submission_closed', {
          detail: 'This submission is imported history; it takes no commands.',
        });
      }
      if (row.closed_at !== null) {
        throw new Problem('submission_closed', {
          detail: `This submission is closed (${row.status}); it takes no further commands.`,
        });
      }
      return scope.orgId;
    });
  const record = (outcome: string) =>
    inScope((scope) =>
      audit(context, scope, {
        action: `submission.${name}`,
        entityType: 'submission',
        entityId: submissionId,
        commandId: id,
        reason: typeof payload.reason === 'string' ? payload.reason : undefined,
        details: { ...payload, outcome },
      }),
    );

  // A command that was applied may have closed the submission; its caller, who lost the answer, gets it again.
  const done = await inScope((scope) => asLogin(scope, (trx) => findCommand(trx, scope.orgId, id)));
  if (done?.status === 'applied') {
    return { status: 200, body: await inScope((scope) => submissionDetail(deps, scope, submissionId)) };
  }
  const orgId = await requireOpen();
  const lifecycle = lifecycleOf({
    entityType: 'submission',
    orgId,
    entityId: submissionId,
    entityKey: null,
  });
  if (lifecycle === undefined) throw new Error('Submissions have no lifecycle.');
  try {
    const outcome = await sendCommand(
      deps,
      { id, name, payload: full, lifecycle },
      {
        requireOpen: async () => {
          await requireOpen();
        },
        noteRequest: () =>
          inScope((scope) =>
            asLogin(scope, (trx) =>
              requestCommand(trx, { orgId, id, workflowId: lifecycle.workflowId, name, payload: full }),
            ),
          ),
      },
    );
    await record(outcome);
    if (outcome === 'applied') {
      return { status: 200, body: await inScope((scope) => submissionDetail(deps, scope, submissionId)) };
    }
    const row = await inScope((scope) => asLogin(scope, (trx) => findCommand(trx, scope.orgId, id)));
    return {
      status: 202,
      headers: { Location: `/v1/commands/${id}` },
      ...(row !== undefined && { body: commandJson(row) }),
    };
  } catch (error) {
    const problem = toProblem(error);
    if (problem.status === 409 || problem.status === 422) await record(`refused: ${problem.code}`);
    throw error;
  }
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

export const submissionCommandRoutes = [decide, assignOwner, withdraw, provideLiveLink];
