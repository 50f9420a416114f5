/** How reliable members are, and who supports whom in both directions. */
import { z } from 'zod';
import { memberRecord, reciprocalPairs } from '../db/assignment-lists.js';
import { DAY_MS } from '../domain/calendar.js';
import { reliability } from '../domain/targeting-score.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { idParam, iso, timestamp } from './schemas.js';
import { asLogin } from './scope.js';

const reliabilitySchema = z
  .object({
    member_id: z.uuid(),
    reliability: z
      .number()
      .describe('(completed + prior_completed) / (completed + failed + prior_total), 0 to 1.'),
    completed: z.int(),
    failed: z.int().describe('Reposts that were not made, or taken down within the watch.'),
    skipped: z.int().describe('Costs no reliability.'),
    days: z.int().describe('How many days count.'),
    prior_completed: z.number(),
    prior_total: z.number(),
  })
  .meta({ id: 'Reliability' });

const reliabilityRoute = defineRoute({
  method: 'get',
  path: '/v1/members/{member_id}/reliability',
  access: 'anyone',
  scope: null,
  operationId: 'getMemberReliability',
  tag: 'members',
  summary: 'How reliably a member reposts',
  description: 'Ops see every member, members themselves. The target builder chooses by it.',
  params: z.object({ member_id: idParam('member') }),
  answers: { 200: { description: 'The member’s record.', schema: reliabilitySchema } },
  problems: ['not_found'],
  handle: async ({ scope, deps, params: { member_id } }) => {
    const at = await deps.businessNow(scope.trx);
    const record = await asLogin(scope, (trx) => memberRecord(trx, scope.orgId, member_id, at));
    if (record === undefined) throw new Problem('not_found');
    const value = reliability(record, {
      reliability_prior_completed: record.prior_completed,
      reliability_prior_total: record.prior_total,
    });
    return { body: { member_id, reliability: Math.round(value * 1e6) / 1e6, ...record } };
  },
});

const MOST_PAIRS = 500;

const pairSchema = z
  .object({
    first_id: z.uuid(),
    first_name: z.string(),
    second_id: z.uuid(),
    second_name: z.string(),
    first_for_second: z.int().describe('Completed reposts by the first for the second.'),
    second_for_first: z.int(),
    share: z
      .number()
      .describe('Part of all completed reposts of the two that they made for each other, 0 to 1.'),
  })
  .meta({ id: 'ReciprocalPair' });

const pairsRoute = defineRoute({
  method: 'get',
  path: '/v1/reports/reciprocal-pairs',
  access: 'ops',
  scope: null,
  operationId: 'listReciprocalPairs',
  tag: 'reports',
  summary: 'Members who repost each other',
  description: `Most in both directions first, at most ${MOST_PAIRS} pairs. Much of it looks like trading favours, which platforms punish: raise pair_cooldown_days.`,
  query: z.strictObject({
    days: z.coerce.number().int().min(1).max(730).default(90).describe('How many days back.'),
    minimum: z.coerce
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .describe('Least reposts in each of the two directions.'),
  }),
  answers: {
    200: {
      description: 'The pairs.',
      schema: z.object({ since: timestamp, until: timestamp, data: z.array(pairSchema) }),
    },
  },
  handle: async ({ scope, deps, query }) => {
    const until = await deps.businessNow(scope.trx);
    const since = new Date(until.getTime() - query.days * DAY_MS);
    const question = { since, until, minimum: query.minimum, limit: MOST_PAIRS };
    const data = await reciprocalPairs(scope.trx, scope.orgId, question);
    return { body: { since: iso(since), until: iso(until), data } };
  },
});

export const reliabilityRoutes = [reliabilityRoute, pairsRoute];
