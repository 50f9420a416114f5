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
  /** Who can be signed in; a member with the name where it is not the sample one. */
  logins: { role: string; login: Login }[];
}

/**
 * Makes the org and its ops, and a sample member while it has none: an org with members of its own (the demo's, or one
 * that somebody built) gets no stranger; one of its members who has a login stands for them. What is there stays.
 */
export async function seedDemoOrg(addresses: StackAddresses): Promise<DemoOrg> {
  const db = createDatabase(addresses.databaseUrls.owner, { max: 1 });
  try {
    const { orgId } = await createOrg(db, { name: DEMO_ORG, adminEmail: DEMO_EMAILS.admin });
    return await asOwner(db, async (trx) => {
      const admin = await ensureLogin(trx, DEMO_EMAILS.admin);
      const moderator = await ensureLogin(trx, DEMO_EMAILS.moderator);
      await giveRole(trx, orgId, moderator, 'moderator');
      const member = await sampleMember(trx, orgId);
      await sendSlackToSandbox(trx, orgId, addresses.sandbox.urls.slackWebhook);
      const ops = [
        { role: 'admin', login: admin },
        { role: 'moderator', login: moderator },
      ];
      return { orgId, logins: member === undefined ? ops : [...ops, member] };
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

/** The sample member, made in an org without members; else a member who has a login; undefined where none has. */
async function sampleMember(trx: Trx, orgId: string): Promise<{ role: string; login: Login } | undefined> {
  const { rows } = await sql<{ name: string; id: string | null; email: string | null }>`
    select member.name, login.id, login.email
    from public.soundcloud_members member
    left join auth.users login on login.email = any (member.emails) and login.email_confirmed_at is not null
    where member.org_id = ${orgId}
    order by coalesce(login.email = ${DEMO_EMAILS.member}, false) desc, login.id is null, member.created_at, member.id
    limit 1`.execute(trx);
  const [there] = rows;
  if (there === undefined) {
    const login = await ensureLogin(trx, DEMO_EMAILS.member);
    await makeMember(trx, orgId);
    return { role: 'member', login };
  }
  const { name, id, email } = there;
  if (id === null || email === null) return undefined;
  return { role: email === DEMO_EMAILS.member ? 'member' : `member (${name})`, login: { id, email } };
}

/** The database links the member to its login by the e-mail, and opens its wallet. */
async function makeMember(trx: Trx, orgId: string): Promise<void> {
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
