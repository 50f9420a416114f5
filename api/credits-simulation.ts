/** What a month's credits would have been under other parameters; nothing is written. */
import { z } from 'zod';
import { loadCreditMonth } from '../db/credit-month.js';
import { creditSettings } from '../db/credit-settings.js';
import { monthOf, startOfDate } from '../domain/calendar.js';
import {
  extremes,
  gainOf,
  type MemberOutcome,
  type SimulationParameters,
  simulateCredits,
  type Tally,
} from '../domain/credits-simulation.js';
import { monthAfter, monthBefore } from '../domain/grant-dates.js';
import { DEFAULT_SETTINGS } from '../domain/settings.js';
import { settingsProblems } from '../domain/settings-validation.js';
import { SIZE_TIERS } from '../domain/tiers.js';
import { Problem } from './problems.js';
import { defineLongRoute } from './route.js';
import { calendarMonth, feePercent } from './schemas.js';
import { asLogin } from './scope.js';

/** Ranges are rules (422, as for the settings themselves); here is only the shape. */
const tierChange = z.strictObject({ monthly_grant: z.number(), cap: z.number() }).partial();

const parameterFields = {
  reach_per_credit: z.number().describe('Reach one credit buys.'),
  fee_percent: feePercent,
  default_reach_factor: z.number().describe('For supporters without a factor of their own.'),
};

const body = z
  .strictObject({
    month: calendarMonth.optional().describe("Default: the last whole month in the org's timezone."),
    ...parameterFields,
    tier_policy: z.strictObject({ T1: tierChange, T2: tierChange, T3: tierChange, T4: tierChange }).partial(),
    top: z.int().min(1).max(100).describe('How many members to name on each side; default 20.'),
  })
  .partial()
  .meta({ id: 'CreditSimulationRequest' });

const tallySchema = z
  .object({
    balance: z.int().describe("At the month's end."),
    held: z.int().describe("At the month's end."),
    reserved: z.int().describe('Into holds.'),
    spent: z.int().describe('Out of captured holds.'),
    released: z.int().describe('Out of holds, back into wallets.'),
    earned: z.int().describe('By supporters for reposts.'),
    minted: z.int().describe('By supporters for campaign reposts.'),
    granted: z.int(),
    manual: z.int().describe('Sum of manual changes, either sign.'),
    forfeited: z.int().describe('Did not fit below caps.'),
    refused: z.int().describe('Holds and manual changes a wallet could not bear.'),
    refused_credits: z.int(),
  } satisfies Record<keyof Tally, z.ZodType>)
  .meta({ id: 'CreditTally' });

const outcomeSchema = z
  .object({
    member_id: z.uuid(),
    member_name: z.string(),
    gain: z.int().describe("Credits more (negative: fewer) at the month's end, spendable and held."),
    actual: tallySchema,
    simulated: tallySchema,
  })
  .meta({ id: 'CreditOutcome' });

const resultSchema = z
  .object({
    month: calendarMonth,
    parameters: z
      .object({
        ...parameterFields,
        tier_policy: z.record(z.enum(SIZE_TIERS), z.object({ monthly_grant: z.int(), cap: z.int() })),
      })
      .describe('All of them, as used.'),
    members: z
      .object({ moved: z.int(), gained: z.int(), lost: z.int(), same: z.int() })
      .describe('How many members had entries in the month, and how many of them gain, lose or stay.'),
    start: z.object({ balance: z.int(), held: z.int() }).describe('Of the members who moved.'),
    actual: tallySchema.describe('Sum over these members, as it happened.'),
    simulated: tallySchema.describe('Sum over these members, under the parameters.'),
    gainers: z.array(outcomeSchema),
    losers: z.array(outcomeSchema),
  })
  .meta({ id: 'CreditSimulation' });

/** @throws Problem invalid_settings, naming each field */
function parametersOf(now: SimulationParameters, change: z.output<typeof body>): SimulationParameters {
  const { reach_per_credit, fee_percent, default_reach_factor, tier_policy = {} } = change;
  const wanted: SimulationParameters = {
    reach_per_credit: reach_per_credit ?? now.reach_per_credit,
    fee_percent: fee_percent ?? now.fee_percent,
    default_reach_factor: default_reach_factor ?? now.default_reach_factor,
    tier_policy: Object.fromEntries(
      SIZE_TIERS.map((tier) => [tier, { ...now.tier_policy[tier], ...tier_policy[tier] }]),
    ) as unknown as SimulationParameters['tier_policy'],
  };
  // Everything else is the default, which is valid: what is found is about the parameters.
  const errors = settingsProblems({ ...DEFAULT_SETTINGS, ...wanted }).map(({ path, message }) => ({
    in: 'body' as const,
    pointer: `/${path.replaceAll('.', '/')}`,
    detail: message,
  }));
  if (errors.length > 0) throw new Problem('invalid_settings', { errors, detail: errors[0]?.detail ?? '' });
  return wanted;
}

const simulateRoute = defineLongRoute({
  method: 'post',
  path: '/v1/credits/simulate',
  access: 'ops',
  scope: null,
  idempotent: false,
  operationId: 'simulateCredits',
  tag: 'credits',
  summary: 'What a month would have been under other parameters',
  description:
    'Replays the grants, holds, captures, releases and earnings of a month. The same reposts happen at other prices; one whose price the artist could not pay does not happen. Cheaper prices bring no new reposts. Changes nothing.',
  body,
  answers: { 200: { description: 'Both sides, and who gains or loses most.', schema: resultSchema } },
  problems: ['invalid_settings', 'rule_violated'],
  handle: async ({ deps, inScope, body: change }) => {
    const { rows, settings, wanted, month } = await inScope(async (scope) => {
      const settings = await asLogin(scope, (trx) => creditSettings(trx, scope.orgId));
      const current = monthOf((await deps.businessNow(scope.trx)).getTime(), settings.timezone);
      const month = change.month ?? monthBefore(current);
      if (month > current) {
        throw new Problem('rule_violated', {
          detail: `Name a month up to ${current}: ${month} is yet to come.`,
        });
      }
      const wanted = parametersOf(settings, change);
      const from = new Date(startOfDate(`${month}-01`, settings.timezone));
      const to = new Date(startOfDate(`${monthAfter(month)}-01`, settings.timezone));
      const rows = await loadCreditMonth(scope.trx, scope.orgId, { from, to });
      return { rows, settings, wanted, month };
    });
    // Outside of the transaction: no connection is held while it is calculated.
    const result = simulateCredits({ ...rows, settings }, wanted);
    const gains = result.members.map(gainOf);
    const { gainers, losers } = extremes(result.members, change.top ?? 20);
    const toJson = ({ member_id, actual, simulated, ...rest }: MemberOutcome) => ({
      member_id,
      member_name: rows.names.get(member_id) ?? '',
      gain: gainOf({ member_id, actual, simulated, ...rest }),
      actual,
      simulated,
    });
    return {
      body: {
        month,
        parameters: wanted,
        members: {
          moved: gains.length,
          gained: gains.filter((gain) => gain > 0).length,
          lost: gains.filter((gain) => gain < 0).length,
          same: gains.filter((gain) => gain === 0).length,
        },
        start: { balance: result.start_balance, held: result.start_held },
        actual: result.actual,
        simulated: result.simulated,
        gainers: gainers.map(toJson),
        losers: losers.map(toJson),
      },
    };
  },
});

export const creditSimulationRoutes = [simulateRoute];
