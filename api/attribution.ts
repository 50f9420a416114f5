/** The numbers of a submission's track since its reposts began, and numbers entered by hand. */
import { z } from 'zod';
import {
  type AttributionRow,
  asSnapshot,
  findAttribution,
  gapsOf,
  listSnapshots,
  type SnapshotRow,
} from '../db/attribution.js';
import { enterSnapshot } from '../db/manual-snapshots.js';
import { timezoneOf } from '../db/settings.js';
import { findSubmission, supportedCounts } from '../db/submission-lists.js';
import { attributionReport, dayIndex, METRICS } from '../domain/attribution.js';
import { dateOf } from '../domain/calendar.js';
import { audit } from './audit.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { calendarDate, id, idParam, iso, prose, timestamp } from './schemas.js';
import { asLogin, asPlanner } from './scope.js';

const count = z.int().nullable();
const counts = {
  plays: count,
  likes: count,
  reposts: count,
  comments: count,
  followers: count.describe('Of the artist.'),
};

const snapshotSchema = z
  .object({
    id: z.uuid(),
    parent_type: z.enum(['submission', 'campaign']),
    parent_id: z.uuid(),
    day_index: z.int().describe('0 is the baseline; days before it are negative.'),
    snapshot_date: calendarDate,
    ...counts,
    hidden: z.boolean().describe('The artist hides the numbers: they are null, never 0.'),
    after_first_slot: z
      .boolean()
      .describe('A baseline taken when the first reposts may have been there already.'),
    source: z.string().describe('soundcloud or manual.'),
    collected_at: timestamp.describe('Business time.'),
  })
  .meta({ id: 'Snapshot' });

const deltaSchema = z
  .object({ change: z.int(), days: z.int().describe('More than 1 after a gap.') })
  .nullable();
const incrementalSchema = z
  .object({
    gained: z.int().describe('Since the baseline.'),
    days: z.int(),
    trend_per_day: z.number().describe('Median daily growth before the start; 0 when it is not known.'),
    trend_days: z
      .int()
      .describe(
        'Days before the start the trend is known from. 0: it is not, and incremental is all that was gained.',
      ),
    incremental: z.number().describe('gained − trend_per_day × days.'),
  })
  .nullable();
const each = <S extends z.ZodType>(schema: S) =>
  z.object({ plays: schema, likes: schema, reposts: schema, comments: schema, followers: schema });

const attributionSchema = z
  .object({
    state: z.enum(['not_started', 'running', 'ended']),
    start_date: calendarDate.nullable().describe('Day 0.'),
    last_date: calendarDate.nullable().describe('Null while assignments are open.'),
    baseline: z.boolean().describe('False without a day 0: nothing can be attributed then.'),
    snapshots: z.array(snapshotSchema),
    deltas: z.array(z.object({ day_index: z.int(), snapshot_date: calendarDate, deltas: each(deltaSchema) })),
    gaps: z.array(z.object({ date: calendarDate, day_index: z.int(), reason: z.string() })),
    incremental: each(incrementalSchema),
    reposts_delivered: z.int(),
    credits_consumed: z.int(),
    credits_per_incremental_play: z.number().nullable(),
  })
  .meta({ id: 'Attribution' });

function snapshotJson(row: SnapshotRow): z.infer<typeof snapshotSchema> {
  const metadata = row.metadata as { hidden?: boolean; after_first_slot?: boolean };
  const { day_index, snapshot_date, ...numbers } = asSnapshot(row);
  return {
    id: row.id,
    parent_type: row.parent_type === 'campaign' ? 'campaign' : 'submission',
    parent_id: row.parent_id,
    day_index,
    snapshot_date,
    ...numbers,
    hidden: metadata.hidden === true,
    after_first_slot: metadata.after_first_slot === true,
    source: row.collection_source,
    collected_at: iso(row.collected_at),
  };
}

function stateOf(row: AttributionRow | undefined): z.infer<typeof attributionSchema>['state'] {
  if (row === undefined) return 'not_started';
  return row.closed_at === null ? 'running' : 'ended';
}

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/submissions/{submission_id}/attribution',
  access: 'anyone',
  scope: 'snapshots:read',
  operationId: 'getSubmissionAttribution',
  tag: 'attribution',
  summary: 'What its reposts brought: snapshots, deltas, gaps, incremental numbers',
  description:
    'From the first published queue until seven days after the last repost. A missed day stays missing. An API key needs submissions:read as well.',
  params: z.object({ submission_id: idParam('submission') }),
  answers: { 200: { description: 'The numbers.', schema: attributionSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const { trx, orgId } = scope;
    const submission = await findSubmission(trx, orgId, params.submission_id);
    if (submission === undefined) throw new Problem('not_found');
    const row = await findAttribution(trx, orgId, 'submission', submission.id);
    const snapshots = await listSnapshots(trx, orgId, 'submission', submission.id);
    // A member does not see the assignments of others; the sums are theirs to know.
    const supported = await asPlanner(scope, (planner) => supportedCounts(planner, orgId, submission.id));
    const report = attributionReport({
      snapshots: snapshots.map(asSnapshot),
      gaps: row === undefined ? [] : gapsOf(row),
      delivered: supported.reposts,
      goal: null,
      cost: supported.credits,
    });
    const startDate = row === undefined ? null : String(row.start_date);
    return {
      body: {
        state: stateOf(row),
        start_date: startDate,
        last_date: row?.last_date == null ? null : String(row.last_date),
        baseline: report.baseline,
        snapshots: snapshots.map(snapshotJson),
        deltas: report.deltas,
        gaps: report.gaps.map((gap) => ({ ...gap, day_index: dayIndex(startDate ?? gap.date, gap.date) })),
        incremental: report.incremental,
        reposts_delivered: report.delivered,
        credits_consumed: supported.credits,
        credits_per_incremental_play: report.cost_per_incremental_play,
      },
    };
  },
});

const entered = z.int().min(0).max(2_000_000_000).nullable().default(null);

const enterRoute = defineRoute({
  method: 'post',
  path: '/v1/snapshots',
  access: 'ops',
  scope: null,
  operationId: 'enterSnapshot',
  tag: 'attribution',
  summary: 'Enter the numbers of a day by hand',
  description:
    'For a day on which SoundCloud gave none. Numbers that were measured are never replaced; entered again they correct what was entered. Both are audited.',
  body: z
    .strictObject({
      parent_type: z.enum(['submission', 'campaign']),
      parent_id: id,
      snapshot_date: calendarDate.describe('A day that is tracked, not in the future; org timezone.'),
      plays: entered,
      likes: entered,
      reposts: entered,
      comments: entered,
      followers: entered,
      note: prose(1_000).min(1).describe('Where the numbers come from.'),
    })
    .meta({ id: 'EnteredSnapshot' }),
  answers: {
    201: {
      description: 'The snapshot.',
      schema: snapshotSchema,
      headers: { Location: 'Address of the attribution.' },
    },
  },
  problems: ['unknown_reference', 'no_attribution', 'snapshot_measured', 'rule_violated'],
  handle: async (context) => {
    const { scope, body, deps } = context;
    const { trx, orgId } = scope;
    const row = await findAttribution(trx, orgId, body.parent_type, body.parent_id);
    if (row === undefined) throw new Problem('no_attribution');
    const numbers = Object.fromEntries(METRICS.map((metric) => [metric, body[metric]])) as Record<
      (typeof METRICS)[number],
      number | null
    >;
    if (METRICS.every((metric) => numbers[metric] === null))
      throw new Problem('rule_violated', { detail: 'Give at least one number.' });
    const now = await deps.businessNow(trx);
    const timezone = await asPlanner(scope, (planner) => timezoneOf(planner, orgId));
    const [first, last] = [String(row.first_date), row.last_date === null ? null : String(row.last_date)];
    const { snapshot_date: date } = body;
    if (date < first || date > dateOf(now.getTime(), timezone) || (last !== null && date > last)) {
      throw new Problem('rule_violated', {
        detail: `This track is tracked from ${first} to ${last ?? 'today'}; give a day between, not in the future.`,
      });
    }
    const snapshot = {
      parentType: body.parent_type,
      parentId: body.parent_id,
      dayIndex: dayIndex(String(row.start_date), date),
      date,
      counts: numbers,
      note: body.note,
      at: now,
    };
    const written = await asLogin(scope, (login) => enterSnapshot(login, orgId, snapshot));
    if (!written.created) throw new Problem('snapshot_measured');
    await audit(context, scope, {
      action: 'snapshot.enter',
      entityType: 'snapshot',
      entityId: written.id,
      reason: body.note,
      before: written.before ?? undefined,
      after: { parent_type: body.parent_type, parent_id: body.parent_id, snapshot_date: date, ...numbers },
    });
    const rows = await listSnapshots(trx, orgId, body.parent_type, body.parent_id);
    const found = rows.find((one) => one.id === written.id);
    if (found === undefined) throw new Error('The snapshot that was entered is not there.');
    return {
      body: snapshotJson(found),
      headers: { Location: `/v1/${body.parent_type}s/${body.parent_id}/attribution` },
    };
  },
});

export const attributionRoutes = [getRoute, enterRoute];
