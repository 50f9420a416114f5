/** The org that a local stack starts with, so that there is somebody to sign in as. */
import { sql } from 'kysely';
import { asOwner, createDatabase, type Trx } from '../db/client.js';
import { ensureLogin, type Login } from '../db/logins.js';
import { createOrg } from '../db/setup.js';
import type { StackAddresses } from '../sandbox/programs.js';

export const DEMO_ORG = 'Artist Spark';

/** Addresses that can never receive mail (RFC 2606). */
export const DEMO_EMAILS = {
  admin: 'admin@artist-spark.example',
  moderator: 'moderator@artist-spark.example',
  member: 'member@artist-spark.example',
} as const;

export type DemoRole = keyof typeof DEMO_EMAILS;

export interface DemoOrg {
  orgId: string;
  logins: Record<DemoRole, Login>;
}

/** Makes the org, a login per role, and the member behind the third; what is there stays as it is. */
export async function seedDemoOrg(addresses: StackAddresses): Promise<DemoOrg> {
  const db = createDatabase(addresses.databaseUrls.owner, { max: 1 });
  try {
    const { orgId } = await createOrg(db, { name: DEMO_ORG, adminEmail: DEMO_EMAILS.admin });
    return await asOwner(db, async (trx) => {
      const admin = await ensureLogin(trx, DEMO_EMAILS.admin);
      const moderator = await ensureLogin(trx, DEMO_EMAILS.moderator);
      await giveRole(trx, orgId, moderator, 'moderator');
      const member = await ensureLogin(trx, DEMO_EMAILS.member);
      await ensureMember(trx, orgId);
      await sendSlackToSandbox(trx, orgId, addresses.sandbox.urls.slackWebhook);
      return { orgId, logins: { admin, moderator, member } };
    });
  } finally {
    await db.destroy();
  }
}

/** Takes a login into the org with a role; has no effect when it is there. */
export async function giveRole(trx: Trx, orgId: string, login: Login, role: DemoRole): Promise<void> {
  await trx
    .insertInto('memberships')
    .values({ org_id: orgId, user_id: login.id })
    .onConflict((conflict) => conflict.columns(['org_id', 'user_id']).doNothing())
    .execute();
  await trx
    .insertInto('soundcloud_user_roles')
    .values({ org_id: orgId, user_id: login.id, role })
    .onConflict((conflict) => conflict.columns(['org_id', 'user_id', 'role']).doNothing())
    .execute();
}

/** The database links the member to its login by the e-mail, and opens its wallet. */
async function ensureMember(trx: Trx, orgId: string): Promise<void> {
  const there = await trx
    .selectFrom('soundcloud_members')
    .select('id')
    .where('org_id', '=', orgId)
    .where(sql<boolean>`emails @> array[${DEMO_EMAILS.member}::text]`)
    .executeTakeFirst();
  if (there) return;
  await trx
    .insertInto('soundcloud_members')
    .values({
      org_id: orgId,
      name: 'Night Signal',
      emails: [DEMO_EMAILS.member],
      primary_email: DEMO_EMAILS.member,
      soundcloud_handle: 'night-signal',
      soundcloud_url: 'https://soundcloud.com/night-signal',
      soundcloud_followers: 4_200,
    })
    .execute();
}

/** Only while the org has no webhook, or one of an earlier start of the stand-in. */
async function sendSlackToSandbox(trx: Trx, orgId: string, webhook: string | undefined): Promise<void> {
  if (!webhook) return;
  await trx
    .updateTable('soundcloud_settings')
    .set({ slack_enabled: true, slack_webhook: webhook })
    .where('org_id', '=', orgId)
    .where((eb) =>
      eb.or([eb('slack_webhook', 'is', null), eb('slack_webhook', 'like', 'http://127.0.0.1:%')]),
    )
    .where((eb) => eb('slack_webhook', 'is distinct from', webhook))
    .execute();
}
