/** Commands that were taken for later: how far they are. */
import { z } from 'zod';
import { type CommandRow, findCommand } from '../db/commands.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { iso, isoOrNull, timestamp } from './schemas.js';
import { asLogin } from './scope.js';

export const commandSchema = z
  .object({
    id: z.string().describe('64 hex digits.'),
    name: z.string(),
    workflow_id: z.string(),
    status: z.enum(['pending', 'applied', 'refused']),
    code: z.string().nullable().describe('Why it was refused.'),
    reason: z.string().nullable(),
    created_at: timestamp,
    resolved_at: timestamp.nullable(),
  })
  .meta({ id: 'Command' });

export function commandJson(row: CommandRow): z.infer<typeof commandSchema> {
  const { id, name, workflow_id, code, reason } = row;
  const status = row.status === 'applied' || row.status === 'refused' ? row.status : 'pending';
  const times = { created_at: iso(row.created_at), resolved_at: isoOrNull(row.resolved_at) };
  return { id, name, workflow_id, status, code, reason, ...times };
}

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/commands/{command_id}',
  access: 'anyone',
  scope: 'submissions:write',
  operationId: 'getCommand',
  tag: 'commands',
  summary: 'How far a command is that was answered with 202',
  description: 'Visible to whoever sent it and to ops.',
  params: z.object({ command_id: z.string().regex(/^[0-9a-f]{64}$/u, 'must be 64 hex digits') }),
  answers: { 200: { description: 'The command.', schema: commandSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params }) => {
    const row = await asLogin(scope, (trx) => findCommand(trx, scope.orgId, params.command_id));
    if (row === undefined) throw new Problem('not_found');
    return { body: commandJson(row) };
  },
});

export const commandRoutes = [getRoute];
