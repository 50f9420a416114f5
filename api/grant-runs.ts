/** Ops start the monthly grant themselves: a month that was missed, or now instead of tonight. */
import { z } from 'zod';
import { requestGrant } from '../db/automation-health.js';
import { monthlyCreditGrantId } from '../workflows/monthly-credit-grant/contract.js';
import { audit } from './audit.js';
import { defineLongRoute } from './route.js';
import { calendarMonth } from './schemas.js';
import { asLogin } from './scope.js';
import { workflowLink, workflowLinkSchema } from './workflow-links.js';

const runRoute = defineLongRoute({
  method: 'post',
  path: '/v1/grants/run',
  access: 'ops',
  scope: null,
  operationId: 'runGrant',
  tag: 'credits',
  summary: 'Grant a month now',
  description:
    'Also every month before it that members miss. Each member gets each month once, however often it runs. It starts by itself, also when Temporal is away at this moment.',
  body: z
    .strictObject({
      month: calendarMonth.optional().describe("YYYY-MM; left out: the current month of the org's timezone."),
    })
    .optional()
    .meta({ id: 'GrantRunRequest' }),
  answers: {
    202: {
      description: 'It runs soon, or runs already.',
      schema: z.object({ month: calendarMonth, workflow: workflowLinkSchema }).meta({ id: 'GrantRun' }),
      headers: { Location: 'What was granted for the month.' },
    },
  },
  problems: ['month_not_begun', 'automation_disabled'],
  handle: async (context) => {
    const { deps, inScope, body, idempotencyKey } = context;
    return inScope(async (scope) => {
      const key = `${scope.caller.kind === 'person' ? scope.caller.userId : ''}:${idempotencyKey}`;
      const granted = await asLogin(scope, (trx) => requestGrant(trx, scope.orgId, body?.month ?? null, key));
      await audit(context, scope, {
        action: 'grant.run',
        entityType: 'grant',
        entityId: null,
        details: { month: granted },
      });
      return {
        headers: { Location: `/v1/grants/${granted}` },
        body: { month: granted, workflow: workflowLink(deps, monthlyCreditGrantId(scope.orgId, granted)) },
      };
    });
  },
});

export const grantRunRoutes = [runRoute];
