/** Pages of profiles beside posts of credits: nobody waits for anybody in a circle. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openConnections } from '../db/account-health.js';
import { openSweep } from '../db/account-sweeps.js';
import { createDatabase, type Db, withOrg } from '../db/client.js';
import { type CreditRequest, postCredits } from '../db/credits.js';
import { ledgerViolations } from '../db/ledger-invariants.js';
import { NOT_BEGUN } from '../domain/account-sweep.js';
import { addDays, startOfDate } from '../domain/calendar.js';
import { DEFAULT_SETTINGS } from '../domain/settings.js';
import type { SoundCloudPort, SoundCloudUser } from '../providers/soundcloud/port.js';
import { type CreditFixture, creditFixture } from '../test/support/credits-fixture.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { createAccountProfileActivities } from './account-profiles.js';

const MEMBERS = 40;
const DAYS = 24;
const BATCHES = 120;

let database: TestDatabase;
let owner: Db;
let worker: Db;
let org: CreditFixture;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createDatabase(database.adminUrl, { max: 2 });
  worker = createDatabase(database.workerUrl, { max: 8 });
  org = await creditFixture(owner, 'Profiles');
});
afterAll(async () => {
  await worker?.destroy();
  await owner?.destroy();
  await database?.drop();
});

/** Half of the profiles are away for so many days that their accounts are in error, then the other half. */
function isThere(account: number, day: number): boolean {
  const { failures_until_error: untilError } = DEFAULT_SETTINGS.account_health;
  return account % 2 !== Math.floor(day / (untilError + 1)) % 2;
}

function userOf(account: number, day: number): SoundCloudUser {
  return {
    urn: `soundcloud:users:${account}`,
    handle: `profile-${account}`,
    name: `Profile ${account}`,
    permalinkUrl: `https://soundcloud.com/profile-${account}`,
    followers: 40_000 + day,
  };
}

it('a page that finds some members and loses others does not deadlock with posts to the same members', async () => {
  const { orgId } = org;
  const members: string[] = [];
  for (let n = 0; n < MEMBERS; n += 1) members.push(await org.member('T3', 10));
  await sql`
    insert into soundcloud_member_accounts (org_id, member_id, platform, handle, follower_count, connection_data)
    select ${orgId}, id, 'soundcloud', 'profile-' || n, 40000, jsonb_build_object('soundcloud',
      jsonb_build_object('urn', 'soundcloud:users:' || n, 'resolved_from', 'profile-' || n))
    from unnest(${members}::uuid[]) with ordinality as m (id, n)`.execute(owner);
  await withOrg(worker, orgId, (trx) => openConnections(trx, orgId));

  let day = 0;
  const soundcloud = {
    configured: true,
    users: async (urns: readonly string[]) =>
      new Map(
        urns
          .map((urn) => [urn, Number(urn.split(':').at(-1))] as const)
          .filter(([, account]) => isThere(account, day))
          .map(([urn, account]) => [urn, userOf(account, day)] as const),
      ),
  } as Partial<SoundCloudPort> as SoundCloudPort;
  const { sweepProfiles } = createAccountProfileActivities({ db: worker, soundcloud });
  const sweep = async () => {
    for (; day < DAYS; day += 1) {
      const date = addDays('2026-03-02', day);
      const at = startOfDate(date, 'UTC');
      await withOrg(worker, orgId, (trx) => openSweep(trx, orgId, date, at));
      const swept = await new MockActivityEnvironment().run(sweepProfiles, {
        orgId,
        date,
        at,
        progress: NOT_BEGUN.profiles,
      });
      expect(swept).toMatchObject({ stopped: null, progress: { done: true } });
    }
  };
  const post = async (lane: number) => {
    for (let n = lane; n < BATCHES; n += 3)
      await withOrg(worker, orgId, (trx) =>
        postCredits(
          trx,
          orgId,
          members.map(
            (member_id): CreditRequest => ({
              kind: 'manual',
              member_id,
              amount: n % 2 === 0 ? 1 : -1,
              reason: 'a batch',
              key: `${member_id}:${n}`,
            }),
          ),
          { at: new Date('2026-03-10T09:00:00Z'), partial: true },
        ),
      );
  };
  await Promise.all([sweep(), post(0), post(1), post(2)]);
  const { rows } = await sql<{ status: string; count: number }>`
    select status, count(*)::int as count from soundcloud_members where org_id = ${orgId}
    group by 1 order by status::text`.execute(owner);
  expect(rows).toEqual([
    { status: 'active', count: MEMBERS / 2 },
    { status: 'needs_reconnect', count: MEMBERS / 2 },
  ]);
  expect(await ledgerViolations(owner)).toEqual([]);
});
