/** Sample rows: orgs, people, genres, credits, settings. */
import {
  actorId,
  base,
  commonId,
  idOf,
  loginOf,
  OWNED,
  OWNED_BY_LOGINS,
  rowId,
  type SampleOf,
  type TableSample,
  TWO_THERE,
  withMember,
  word,
} from './sample.js';
import { emailOf, fixedId, orgId, userId } from './world.js';

const HASH = 'a'.repeat(64);

/** The membership or role that world.ts made for the person, or a further one for somebody else. */
function ofLogin(kind: 'membership' | 'role', of: SampleOf) {
  const seeded = of.copy === '';
  return {
    id: seeded ? fixedId(kind, of.org, loginOf(of)) : rowId(kind, of),
    org_id: orgId(of.org),
    user_id: userId(seeded ? loginOf(of) : 'nobody'),
  };
}

export const PEOPLE_SAMPLES: Record<string, TableSample> = {
  orgs: { row: (of) => ({ id: of.copy === '' ? orgId(of.org) : rowId('orgs', of), name: word(of) }) },
  memberships: { owners: OWNED_BY_LOGINS, row: (of) => ofLogin('membership', of) },
  soundcloud_user_roles: {
    owners: OWNED_BY_LOGINS,
    row: (of) => ({ ...ofLogin('role', of), role: 'member' }),
  },
  soundcloud_genre_families: { row: (of) => ({ ...base('soundcloud_genre_families', of), name: word(of) }) },
  soundcloud_subgenres: {
    row: (of) => ({
      ...base('soundcloud_subgenres', of),
      family_id: commonId('soundcloud_genre_families', of),
      name: word(of),
    }),
  },
  soundcloud_members: {
    owners: OWNED,
    ownersThere: TWO_THERE,
    row: (of) => ({
      ...base('soundcloud_members', of),
      name: word(of),
      emails: [
        of.org === 'here' && of.owner !== 'nobody' && of.copy === ''
          ? emailOf(of.owner)
          : `${word(of)}@elsewhere.test`,
      ],
    }),
  },
  soundcloud_member_accounts: {
    owners: OWNED,
    row: (of) => ({
      ...withMember('soundcloud_member_accounts', of),
      platform: of.copy === '' ? 'soundcloud' : 'spotify',
      handle: word(of),
    }),
  },
  soundcloud_member_genres: {
    owners: OWNED,
    row: (of) => ({
      ...withMember('soundcloud_member_genres', of),
      genre_family_id: commonId('soundcloud_genre_families', of),
      subgenre_id: of.copy === '' ? null : commonId('soundcloud_subgenres', of),
      assigned_by: actorId(of),
    }),
  },
  soundcloud_avoid_list_items: {
    owners: OWNED,
    row: (of) => ({ ...withMember('soundcloud_avoid_list_items', of), avoided_handle: word(of) }),
  },
  soundcloud_member_import_history: {
    row: (of) => ({ ...base('soundcloud_member_import_history', of), filename: 'members.csv' }),
  },
  soundcloud_clients: { row: (of) => ({ ...base('soundcloud_clients', of), name: word(of) }) },
  soundcloud_salespersons: { row: (of) => ({ ...base('soundcloud_salespersons', of), name: word(of) }) },
  soundcloud_settings: { row: (of) => base('soundcloud_settings', of) },
  soundcloud_repost_credit_wallet: {
    owners: OWNED,
    ownersThere: TWO_THERE,
    row: (of) => ({
      ...withMember('soundcloud_repost_credit_wallet', of),
      balance: 2,
      held: 1,
      monthly_grant: 1,
      cap: 3,
      version: 1,
    }),
  },
  soundcloud_repost_credit_ledger: {
    owners: OWNED,
    row: (of) => ({
      ...withMember('soundcloud_repost_credit_ledger', of),
      version: of.copy === '' ? 1 : 2,
      change_amount: 2,
      balance_after: 2,
      reason: 'monthly_grant',
      idempotency_key: word(of),
      request_hash: HASH,
      occurred_at: '2026-01-01T00:00:00Z',
    }),
  },
  soundcloud_credit_holds: {
    owners: OWNED,
    row: (of) => ({
      ...withMember('soundcloud_credit_holds', of),
      assignment_id: idOf('soundcloud_queue_assignments', of),
      amount: 1,
      hold_entry_id: idOf('soundcloud_repost_credit_ledger', of),
    }),
  },
  soundcloud_credit_change_requests: {
    owners: OWNED,
    row: (of) => ({
      ...withMember('soundcloud_credit_change_requests', of),
      amount: 1,
      reason: 'a reason',
      requested_by: userId('nobody'),
    }),
  },
};
