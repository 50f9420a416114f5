/** The settings that credits depend on, for readers who may not see the others. Call it as the login. */
import { sql } from 'kysely';
import { type OrgSettings, type PartialSettings, withDefaults } from '../domain/settings.js';
import type { Trx } from './client.js';

export type CreditSettings = Pick<
  OrgSettings,
  | 'timezone'
  | 'four_eyes_threshold'
  | 'reach_per_credit'
  | 'fee_percent'
  | 'default_reach_factor'
  | 'tier_policy'
>;

/** @throws database error SPK01 not_found when the org has no settings. */
export async function creditSettings(trx: Trx, orgId: string): Promise<CreditSettings> {
  const { rows } = await sql<{
    settings: PartialSettings;
  }>`select private.api_credit_settings(${orgId}) as settings`.execute(trx);
  const settings = withDefaults(rows[0]?.settings ?? {});
  const { timezone, four_eyes_threshold, reach_per_credit, fee_percent, default_reach_factor, tier_policy } =
    settings;
  return {
    timezone,
    four_eyes_threshold,
    reach_per_credit,
    fee_percent,
    default_reach_factor,
    tier_policy,
  };
}
