/** The org's settings: one document, changed by admins against the version they read (ETag, If-Match). */
import { z } from 'zod';
import { loadVersionedSettings, saveSettings, type VersionedSettings } from '../db/settings-versions.js';
import {
  DEFAULT_SETTINGS,
  ON_BREACH,
  type OrgSettings,
  type PartialSettings,
  TARGET_BAND_MODES,
  withDefaults,
} from '../domain/settings.js';
import { settingsProblems } from '../domain/settings-validation.js';
import { audit } from './audit.js';
import { etagOf, requireMatch } from './etag.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { atLeastOne, feePercent, iso, timestamp } from './schemas.js';
import { asLogin } from './scope.js';

/** Ranges and what must fit together are rules (422, domain/settings-validation.ts); here is only the shape (400). */
const hours = z.number();

const groups = {
  review: shapeOf(DEFAULT_SETTINGS.review),
  pacing: shapeOf(DEFAULT_SETTINGS.pacing),
  queue_hours: shapeOf(DEFAULT_SETTINGS.queue_hours),
  campaign_defaults: shapeOf(DEFAULT_SETTINGS.campaign_defaults),
  account_health: shapeOf(DEFAULT_SETTINGS.account_health),
};

const fields = {
  decision_sla_hours: hours.describe('Hours in which a submission is decided.'),
  proof_sla_hours: hours.describe('Hours in which a proof is handed in.'),
  intake_sla_hours: hours,
  complaint_sla_hours: hours,
  inactivity_days: z.number(),
  preview_cache_days: z.number(),
  default_reach_factor: z.number(),
  target_band_mode: z.enum(TARGET_BAND_MODES),
  size_tier_thresholds: perTier(z.strictObject({ min: z.number(), max: z.number() })),
  adjacency_matrix: z.record(z.string().max(100), z.record(z.string().max(100), z.number())),
  slack_enabled: z.boolean(),
  slack_webhook: z.string().max(1_000).nullable(),
  slack_channel: z.string().max(100),
  timezone: z.string().max(100),
  tier_policy: perTier(z.strictObject({ monthly_grant: z.number(), cap: z.number() })),
  reach_per_credit: z.number(),
  fee_percent: feePercent,
  four_eyes_threshold: z.number(),
  watch_hours: hours,
  on_breach: z.enum(ON_BREACH),
  auto_schedule: z.boolean(),
  unrepost_after_hours: z.number().nullable(),
};

const settingsSchema = z
  .object({
    ...fields,
    review: z.object(groups.review),
    pacing: z.object(groups.pacing),
    queue_hours: z.object(groups.queue_hours),
    campaign_defaults: z.object(groups.campaign_defaults),
    account_health: z.object(groups.account_health),
    version: z.int(),
    updated_at: timestamp,
  })
  .meta({ id: 'Settings' });

const changeBody = atLeastOne(
  z
    .strictObject({
      ...fields,
      review: z.strictObject(groups.review).partial(),
      pacing: z.strictObject(groups.pacing).partial(),
      queue_hours: z.strictObject(groups.queue_hours).partial(),
      campaign_defaults: z.strictObject(groups.campaign_defaults).partial(),
      account_health: z.strictObject(groups.account_health).partial(),
    })
    .partial(),
).meta({ id: 'SettingsChange' });

type SettingsChange = z.output<typeof changeBody>;

/** Fields of a group with the types of its defaults, so that a new setting needs no second list. */
function shapeOf<T extends object>(defaults: T): { [K in keyof T]: z.ZodType<T[K]> } {
  const shape = Object.entries(defaults).map(([key, value]) => [key, fieldFor(value)]);
  return Object.fromEntries(shape) as { [K in keyof T]: z.ZodType<T[K]> };
}

function fieldFor(value: unknown): z.ZodType {
  if (Array.isArray(value)) return z.array(z.number()).max(50);
  return typeof value === 'number' ? z.number() : z.string().max(20);
}

function perTier<T extends z.ZodType>(schema: T) {
  return z.strictObject({ T1: schema, T2: schema, T3: schema, T4: schema });
}

function settingsJson({ settings, version, updatedAt }: VersionedSettings): Record<string, unknown> {
  return { ...settings, version, updated_at: iso(updatedAt) };
}

/** Groups are merged key by key, everything else is replaced. */
function merge(settings: OrgSettings, change: SettingsChange): OrgSettings {
  const merged = Object.entries(change).map(([key, value]) => {
    const old = settings[key as keyof OrgSettings];
    return [key, key in groups ? { ...(old as object), ...(value as object) } : value];
  });
  return withDefaults({ ...settings, ...Object.fromEntries(merged) } as PartialSettings);
}

/** What changed, for the audit trail; the Slack address is a secret. */
function auditable(settings: OrgSettings, keys: readonly (keyof OrgSettings)[]): Record<string, unknown> {
  const shown = keys.map((key) => [key, key === 'slack_webhook' ? settings[key] && '[set]' : settings[key]]);
  return Object.fromEntries(shown);
}

const getRoute = defineRoute({
  method: 'get',
  path: '/v1/settings',
  access: 'admin',
  scope: null,
  operationId: 'getSettings',
  tag: 'settings',
  summary: "The org's settings",
  answers: {
    200: { description: 'All settings.', schema: settingsSchema, headers: { ETag: 'Names the version.' } },
  },
  handle: async ({ scope }) => {
    const current = await loadVersionedSettings(scope.trx, scope.orgId);
    if (current === undefined) throw new Problem('not_found');
    return { body: settingsJson(current), headers: { ETag: etagOf(current.version) } };
  },
});

const changeRoute = defineRoute({
  method: 'patch',
  path: '/v1/settings',
  access: 'admin',
  scope: null,
  ifMatch: true,
  operationId: 'changeSettings',
  tag: 'settings',
  summary: "Change some of the org's settings",
  description:
    'Groups (review, pacing, queue_hours, campaign_defaults, account_health) are merged key by key; the rest is replaced.',
  body: changeBody,
  answers: {
    200: {
      description: 'The settings as they are now.',
      schema: settingsSchema,
      headers: { ETag: 'Names the version.' },
    },
  },
  problems: ['precondition_required', 'precondition_failed', 'invalid_settings'],
  handle: async (context) => {
    const { scope, body, request } = context;
    const current = await loadVersionedSettings(scope.trx, scope.orgId, { lock: true });
    if (current === undefined) throw new Problem('not_found');
    requireMatch(request.get('if-match'), etagOf(current.version));
    const wanted = merge(current.settings, body);
    const problems = settingsProblems(wanted, { extraSlackOrigins: context.deps.extraSlackOrigins });
    if (problems.length > 0) {
      const errors = problems.map(({ path, message }) => ({
        in: 'body' as const,
        pointer: `/${path.replaceAll('.', '/')}`,
        detail: message,
      }));
      throw new Problem('invalid_settings', { errors, detail: errors[0]?.detail ?? '' });
    }
    const keys = Object.keys(body) as (keyof OrgSettings)[];
    const changed = Object.fromEntries(keys.map((key) => [key, wanted[key]])) as Partial<OrgSettings>;
    await asLogin(scope, (trx) => saveSettings(trx, scope.orgId, changed));
    const after = await loadVersionedSettings(scope.trx, scope.orgId);
    if (after === undefined) throw new Problem('not_found');
    await audit(context, scope, {
      action: 'settings.change',
      entityType: 'settings',
      entityId: scope.orgId,
      before: auditable(current.settings, keys),
      after: auditable(after.settings, keys),
      details: { version: after.version },
    });
    return { body: settingsJson(after), headers: { ETag: etagOf(after.version) } };
  },
});

export const settingsRoutes = [getRoute, changeRoute];
