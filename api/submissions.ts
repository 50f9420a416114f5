/** Submissions: handed in by members, decided by ops, each with a durable review behind it. */
import { z } from 'zod';
import { insertSubmission, listSubmissions, SUBMISSION_ORDERS } from '../db/submission-lists.js';
import { parseTrackUrl } from '../domain/track-url.js';
import { audit } from './audit.js';
import { toProblem } from './middleware/errors.js';
import { pageOf, pageQuery, readCursor, toPage } from './pagination.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { calendarDate, flag, id, idParam, label } from './schemas.js';
import type { Scope } from './scope.js';
import { chooseMember, unknownMember } from './submission-member.js';
import {
  submissionDetail,
  submissionDetailSchema,
  submissionJson,
  submissionSchema,
  submissionStatus,
} from './submission-shape.js';
import { TRACK_URL_PROBLEMS } from './track-url-problems.js';

const SORTS = Object.keys(SUBMISSION_ORDERS) as [keyof typeof SUBMISSION_ORDERS];
const read = { access: 'anyone', scope: 'submissions:read', tag: 'submissions' } as const;

const createBody = z
  .strictObject({
    track_url: z
      .string()
      .max(20_000)
      .describe('Address of the track on SoundCloud; private links and short links will do.'),
    member_id: id.optional().describe('Ops and API keys: for whom. Members submit for themselves.'),
    artist_name: label(300).optional(),
    track_name: label(300).optional(),
    client_id: id.optional().describe('Ops only.'),
    service_type: label(100).optional().describe('Ops only.'),
  })
  .meta({ id: 'NewSubmission' });

const listRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/submissions',
  operationId: 'listSubmissions',
  summary: 'Submissions',
  description: 'Ops see all of the org, members their own.',
  query: z.strictObject({
    status: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(submissionStatus).min(1))
      .optional()
      .describe('One status, or several separated by commas.'),
    member_id: id.optional(),
    owner_id: id.optional(),
    support_date: calendarDate.optional(),
    open: flag.optional().describe('true: only what is not closed; false: only what is.'),
    sort: z.enum(SORTS).default('-created_at'),
    ...pageQuery,
  }),
  answers: { 200: { description: 'A page.', schema: pageOf(submissionSchema) } },
  handle: async ({ scope, query }) => {
    const rows = await listSubmissions(
      scope.trx,
      scope.orgId,
      {
        statuses: query.status,
        memberId: query.member_id,
        ownerId: query.owner_id,
        supportDate: query.support_date,
        open: query.open,
      },
      {
        order: SUBMISSION_ORDERS[query.sort],
        after: readCursor(query.cursor, query.sort),
        limit: query.limit,
      },
    );
    const keyOf = (row: (typeof rows)[number]) => ({ value: row.sort_key, id: row.id });
    return { body: toPage(rows, query.limit, query.sort, keyOf, (row) => submissionJson(row, scope)) };
  },
});

const getRoute = defineRoute({
  ...read,
  method: 'get',
  path: '/v1/submissions/{submission_id}',
  operationId: 'getSubmission',
  summary: 'One submission, with what its review waits for',
  params: z.object({ submission_id: idParam('submission') }),
  answers: { 200: { description: 'The submission.', schema: submissionDetailSchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params }) => ({
    body: await submissionDetail(deps, scope, params.submission_id),
  }),
});

const createRoute = defineRoute({
  method: 'post',
  path: '/v1/submissions',
  access: 'anyone',
  scope: 'submissions:write',
  operationId: 'createSubmission',
  tag: 'submissions',
  summary: 'Submit a track',
  description: 'Its review starts by itself, also when Temporal is away at this moment.',
  body: createBody,
  answers: {
    201: {
      description: 'The new submission.',
      schema: submissionDetailSchema,
      headers: { Location: 'Its address.' },
    },
  },
  problems: [
    ...TRACK_URL_PROBLEMS,
    'no_member',
    'no_credits',
    'monthly_limit_reached',
    'duplicate_track',
    'unknown_reference',
  ],
  handle: async (context) => {
    const { scope, body, deps } = context;
    const track = parseTrackUrl(body.track_url);
    if (!track.ok) throw new Problem(track.code, { detail: track.reason });
    if (!scope.ops && (body.client_id !== undefined || body.service_type !== undefined)) {
      throw new Problem('forbidden', { detail: 'client_id and service_type are for ops.' });
    }
    const memberId = await chooseMember(scope, body.member_id);
    const { id } = await insert(scope, {
      org_id: scope.orgId,
      member_id: memberId,
      track_url: track.url,
      artist_name: body.artist_name ?? null,
      track_name: body.track_name ?? null,
      ...(body.client_id !== undefined && { client_id: body.client_id }),
      ...(body.service_type !== undefined && { service_type: body.service_type }),
    });
    const entry = { action: 'submission.create', entityType: 'submission', entityId: id };
    await audit(context, scope, { ...entry, after: { member_id: memberId, track_url: track.url } });
    return { body: await submissionDetail(deps, scope, id), headers: { Location: `/v1/submissions/${id}` } };
  },
});

async function insert(scope: Scope, row: Parameters<typeof insertSubmission>[1]): Promise<{ id: string }> {
  return insertSubmission(scope.trx, row).catch((error: unknown) => {
    // A 404 would speak of the resource that is asked for; here it is a name inside the request.
    throw toProblem(error).code === 'not_found' ? unknownMember(error) : error;
  });
}

export const submissionRoutes = [listRoute, createRoute, getRoute];
