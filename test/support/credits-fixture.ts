/** An org with members, a queue and assignments: what credit tests start from. */
import type { Db } from '../../db/client.js';
import { postCredits } from '../../db/credits.js';
import type { SoundcloudSizeTier } from '../../db/schema.js';
import { createOrg } from '../../db/setup.js';

export interface CreditFixture {
  orgId: string;
  adminId: string;
  /** Adds a member of a tier whose wallet holds `balance` spendable credits. */
  member(tier: SoundcloudSizeTier, balance: number): Promise<string>;
  /** Assignments of one submission of `artistId`, supported by `supporterId`. */
  assignments(artistId: string, supporterId: string, count: number): Promise<string[]>;
}

const AT = new Date('2026-03-10T09:00:00Z');
const FOLLOWERS: Record<SoundcloudSizeTier, number> = { T1: 500, T2: 5_000, T3: 50_000, T4: 500_000 };

/** @param ownerDb connection of the owner. */
export async function creditFixture(ownerDb: Db, name: string): Promise<CreditFixture> {
  const { orgId, userId } = await createOrg(ownerDb, {
    name,
    adminEmail: `admin@${name.toLowerCase()}.test`,
  });
  let made = 0;
  const fixture: CreditFixture = {
    orgId,
    adminId: userId,
    async member(tier, balance) {
      made += 1;
      const { id } = await ownerDb
        .insertInto('soundcloud_members')
        .values({ org_id: orgId, name: `Member ${made}`, soundcloud_followers: FOLLOWERS[tier] })
        .returning('id')
        .executeTakeFirstOrThrow();
      const wallet = await ownerDb
        .selectFrom('soundcloud_repost_credit_wallet')
        .select('balance')
        .where('member_id', '=', id)
        .executeTakeFirstOrThrow();
      if (wallet.balance !== balance) {
        await ownerDb.transaction().execute((trx) =>
          postCredits(
            trx,
            orgId,
            [
              {
                kind: 'manual',
                member_id: id,
                amount: balance - wallet.balance,
                reason: 'fixture',
                key: id,
              },
            ],
            { at: AT },
          ),
        );
      }
      return id;
    },
    async assignments(artistId, supporterId, count) {
      made += 1;
      const submission = await ownerDb
        .insertInto('soundcloud_submissions')
        .values({
          org_id: orgId,
          member_id: artistId,
          track_url: `https://soundcloud.com/fixture/track-${made}`,
          imported_at: AT,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      const date = new Date(AT.getTime() + made * 86_400_000).toISOString().slice(0, 10);
      const queue = await ownerDb
        .insertInto('soundcloud_queues')
        .values({ org_id: orgId, date, status: 'published' })
        .returning('id')
        .executeTakeFirstOrThrow();
      const rows: string[] = [];
      for (let position = 1; position <= count; position += 1) {
        // One supporter may support a submission once a queue; these need an assignment each, not a sensible queue.
        const supporter = position === 1 ? supporterId : await fixture.member('T1', 1);
        const { id } = await ownerDb
          .insertInto('soundcloud_queue_assignments')
          .values({
            org_id: orgId,
            queue_id: queue.id,
            submission_id: submission.id,
            supporter_id: supporter,
            position,
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        rows.push(id);
      }
      return rows;
    },
  };
  return fixture;
}
