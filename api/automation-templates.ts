/** Automation templates: mails that events send. Admins change them; a broken one is refused. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  type AutomationTemplateRow,
  findTemplate,
  listTemplates,
  updateTemplate,
} from '../db/automation-templates.js';
import { AUTOMATION_MAIL_EVENTS, sendsAutomationMail } from '../domain/automation-mails.js';
import { EVENT_TYPES } from '../domain/events.js';
import { type DeclaredVariables, templateProblems } from '../domain/mail-template.js';
import { audit } from './audit.js';
import { etagOf, requireMatch } from './etag.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { atLeastOne, iso, label, prose, timestamp } from './schemas.js';

const templateSchema = z
  .object({
    template_key: z.string(),
    name: z.string(),
    subject: z.string(),
    body_html: z.string(),
    body_text: z.string().nullable(),
    variables: z.record(z.string(), z.unknown()).describe('Declared variables: name → what it is.'),
    enabled: z.boolean(),
    trigger_events: z.array(z.string()).describe('Event types it is sent on.'),
    sends_mails: z
      .boolean()
      .describe(
        'It is enabled, and waits for an event that mails are sent on; those of campaigns are still to come.',
      ),
    updated_at: timestamp,
  })
  .meta({ id: 'AutomationTemplate' });

const changeBody = atLeastOne(
  z
    .strictObject({
      name: label(200),
      subject: prose(500),
      body_html: prose(100_000),
      body_text: prose(100_000).nullable(),
      variables: z.record(z.string().max(100), z.string().max(500)),
      enabled: z.boolean(),
      trigger_events: z
        .array(z.enum(EVENT_TYPES))
        .max(20)
        .describe(`Mails are sent on: ${AUTOMATION_MAIL_EVENTS.join(', ')}.`),
    })
    .partial(),
).meta({ id: 'AutomationTemplateChange' });

const params = z.object({ template_key: z.string().max(100).describe('Key of the template.') });
const etag = { ETag: 'Names the version.' };

function templateJson(row: AutomationTemplateRow): z.infer<typeof templateSchema> {
  return {
    template_key: row.template_key,
    name: row.name,
    subject: row.subject,
    body_html: row.body_html,
    body_text: row.body_text,
    variables: row.variables as Record<string, unknown>,
    enabled: row.enabled,
    trigger_events: row.trigger_events,
    sends_mails: row.enabled && row.trigger_events.some(sendsAutomationMail),
    updated_at: iso(row.updated_at),
  };
}

/** The table has no version: the content names itself. */
function tagOf(row: AutomationTemplateRow): string {
  const { updated_at: _, ...content } = templateJson(row);
  const sorted = { ...content, variables: Object.entries(content.variables).sort() };
  return etagOf(createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 32));
}

const listRoute = defineRoute({
  method: 'get',
  path: '/v1/automation-templates',
  access: 'ops',
  scope: null,
  operationId: 'listAutomationTemplates',
  tag: 'automations',
  summary: 'Mails that events send',
  answers: { 200: { description: 'By key.', schema: z.object({ data: z.array(templateSchema) }) } },
  handle: async ({ scope }) => ({
    body: { data: (await listTemplates(scope.trx, scope.orgId)).map(templateJson) },
  }),
});

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/automation-templates/{template_key}',
  access: 'ops',
  scope: null,
  operationId: 'getAutomationTemplate',
  tag: 'automations',
  summary: 'One automation template',
  params,
  answers: { 200: { description: 'The template.', schema: templateSchema, headers: etag } },
  problems: ['not_found'],
  handle: async ({ scope, params: { template_key } }) => {
    const row = await findTemplate(scope.trx, scope.orgId, template_key);
    if (row === undefined) throw new Problem('not_found');
    return { body: templateJson(row), headers: { ETag: tagOf(row) } };
  },
});

const changeRoute = defineRoute({
  method: 'patch',
  path: '/v1/automation-templates/{template_key}',
  access: 'admin',
  scope: null,
  ifMatch: true,
  operationId: 'changeAutomationTemplate',
  tag: 'automations',
  summary: 'Change an automation template',
  description: 'It may use only the variables it declares; a value in HTML is always escaped.',
  params,
  body: changeBody,
  answers: { 200: { description: 'The template as it is now.', schema: templateSchema, headers: etag } },
  problems: ['not_found', 'precondition_required', 'precondition_failed', 'invalid_template'],
  handle: async (context) => {
    const { scope, body, request } = context;
    const key = context.params.template_key;
    const before = await findTemplate(scope.trx, scope.orgId, key, { lock: true });
    if (before === undefined) throw new Problem('not_found');
    requireMatch(request.get('if-match'), tagOf(before));
    const wanted = { ...templateJson(before), ...body };
    const problems = templateProblems(wanted, wanted.variables as DeclaredVariables);
    if (problems.length > 0) {
      const errors = problems.map(({ path, message }) => ({
        in: 'body' as const,
        pointer: `/${path}`,
        detail: message,
      }));
      throw new Problem('invalid_template', { errors, detail: errors[0]?.detail ?? '' });
    }
    const { variables, ...columns } = body;
    await updateTemplate(scope.trx, scope.orgId, key, {
      ...columns,
      ...(variables !== undefined && { variables }),
      updated_by: scope.caller.kind === 'person' ? scope.caller.userId : null,
    });
    const after = await findTemplate(scope.trx, scope.orgId, key);
    if (after === undefined) throw new Problem('not_found');
    await audit(context, scope, {
      action: 'automation_template.change',
      entityType: 'automation_template',
      entityId: after.id,
      before: templateJson(before),
      after: templateJson(after),
    });
    return { body: templateJson(after), headers: { ETag: tagOf(after) } };
  },
});

export const automationTemplateRoutes = [listRoute, getRoute, changeRoute];
