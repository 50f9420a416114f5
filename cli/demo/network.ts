/** The org of the demo: ops with logins, and 60 members with accounts and genres, made through the API. */
import { z } from 'zod';
import { asOwner, createDatabase } from '../../db/client.js';
import { ensureLogin, type Login } from '../../db/logins.js';
import { createOrg } from '../../db/setup.js';
import type { StackAddresses } from '../../sandbox/programs.js';
import { type DemoArtist, demoArtists } from '../../sandbox/soundcloud/catalogue.js';
import { DEMO_EMAILS, DEMO_ORG, giveRole } from '../demo-org.js';
import { signToken } from '../token.js';
import { ApiClient } from './api-client.js';
import type { Ops } from './plan.js';
import { WATCH_HOURS } from './queue-plan.js';

const TOKEN_HOURS = 12;
/** How many members are made at once. */
const LANES = 4;

const created = z.object({ id: z.uuid() });
const families = z.object({ data: z.array(z.object({ id: z.uuid(), name: z.string() })) });
const subgenres = z.object({
  data: z.array(z.object({ id: z.uuid(), family_id: z.uuid(), name: z.string() })),
});

export interface DemoOps {
  orgId: string;
  logins: Record<Ops, Login>;
}

/** Makes the org with its first admin, as `spark org create` does, and a moderator. */
export async function makeOrg(ownerUrl: string): Promise<DemoOps> {
  const db = createDatabase(ownerUrl, { max: 1 });
  try {
    const { orgId } = await createOrg(db, { name: DEMO_ORG, adminEmail: DEMO_EMAILS.admin });
    const logins = await asOwner(db, async (trx) => {
      const admin = await ensureLogin(trx, DEMO_EMAILS.admin);
      const moderator = await ensureLogin(trx, DEMO_EMAILS.moderator);
      await giveRole(trx, orgId, moderator, 'moderator');
      return { admin, moderator };
    });
    return { orgId, logins };
  } finally {
    await db.destroy();
  }
}

export interface Network {
  orgId: string;
  admin: ApiClient;
  moderator: ApiClient;
  /** The API as a stranger uses it: no token. */
  stranger: ApiClient;
  people: Record<Ops, string>;
  /** The API with the token of the member of that handle. */
  member(handle: string): ApiClient;
  nameOf(handle: string): string;
  /** Handle of the member of that id; the id itself where there is none. */
  handleOf(memberId: string): string;
  /** Id of the member of that handle. */
  idOf(handle: string): string;
  /** How many members there are. */
  size: number;
}

export interface NetworkOptions {
  addresses: StackAddresses;
  ops: DemoOps;
  signal: AbortSignal;
}

/** Fills the org: Slack, the watch, members, accounts, genres; signs everybody in. */
export async function buildNetwork({ addresses, ops, signal }: NetworkOptions): Promise<Network> {
  const { orgId, logins } = ops;
  const client = async (login: Login) => {
    const token = await signToken({ secret: addresses.jwtSecret, login, hours: TOKEN_HOURS });
    return new ApiClient({ url: addresses.apiUrl, orgId, token, signal });
  };
  const admin = await client(logins.admin);
  const slack = { slack_enabled: true, slack_webhook: addresses.sandbox.urls.slackWebhook ?? null };
  await changeSettings(admin, { ...slack, watch_hours: WATCH_HOURS });
  const artists = demoArtists();
  const genres = await genreIds(admin);
  const queue = [...artists];
  const ids = new Map<string, string>();
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (let artist = queue.shift(); artist; artist = queue.shift()) {
        ids.set(artist.handle, await addMember(admin, artist, genres));
      }
    }),
  );
  const db = createDatabase(addresses.databaseUrls.owner, { max: 1 });
  const members = new Map<string, ApiClient>();
  try {
    for (const { handle } of artists) {
      members.set(handle, await client(await ensureLogin(db, emailOf(handle))));
    }
  } finally {
    await db.destroy();
  }
  return {
    orgId,
    admin,
    moderator: await client(logins.moderator),
    stranger: new ApiClient({ url: addresses.apiUrl, orgId, token: null, signal }),
    people: { admin: logins.admin.id, moderator: logins.moderator.id },
    member(handle) {
      const found = members.get(handle);
      if (!found) throw new Error(`${handle} is not signed in.`);
      return found;
    },
    size: artists.length,
    idOf(handle) {
      const id = ids.get(handle);
      if (id === undefined) throw new Error(`${handle} is no member.`);
      return id;
    },
    handleOf: (memberId) => [...ids].find(([, id]) => id === memberId)?.[0] ?? memberId,
    nameOf: (handle) => artists.find((artist) => artist.handle === handle)?.name ?? handle,
  };
}

/** Changes settings of the org, as they stand. */
export async function changeSettings(admin: ApiClient, change: Record<string, unknown>): Promise<void> {
  const { etag } = await admin.send('GET', '/v1/settings');
  await admin.must(z.unknown(), 'PATCH', '/v1/settings', change, etag === null ? {} : { ifMatch: etag });
}

/**
 * No queue is drafted by itself any more, so that none lapses, and moves what waits for it, while somebody looks around.
 */
export async function holdQueues(admin: ApiClient): Promise<void> {
  await admin.must(z.unknown(), 'PATCH', '/v1/automations/daily-queue', { status: 'disabled' });
}

async function addMember(
  admin: ApiClient,
  artist: DemoArtist,
  genres: (artist: DemoArtist) => { genre_family_id: string; subgenre_id: string },
): Promise<string> {
  const genre = genres(artist);
  const { id } = await admin.must(created, 'POST', '/v1/members', {
    name: artist.name,
    emails: [emailOf(artist.handle)],
    soundcloud_handle: artist.handle,
    soundcloud_followers: artist.followers,
    soundcloud_url: `https://soundcloud.com/${artist.handle}`,
    genre_family_id: genre.genre_family_id,
  });
  await admin.must(created, 'POST', `/v1/members/${id}/accounts`, {
    handle: artist.handle,
    follower_count: artist.followers,
  });
  await admin.must(z.unknown(), 'PUT', `/v1/members/${id}/genres`, { genres: [genre] });
  return id;
}

async function genreIds(admin: ApiClient) {
  const known = await admin.must(families, 'GET', '/v1/genre-families');
  const finer = await admin.must(subgenres, 'GET', '/v1/subgenres');
  return ({ family, subgenre }: DemoArtist) => {
    const familyId = known.data.find((row) => row.name === family)?.id;
    const subgenreId = finer.data.find((row) => row.family_id === familyId && row.name === subgenre)?.id;
    if (!familyId || !subgenreId) throw new Error(`The org has no genre ${family} / ${subgenre}.`);
    return { genre_family_id: familyId, subgenre_id: subgenreId };
  };
}

/** An address that can never receive mail (RFC 2606). */
function emailOf(handle: string): string {
  return `${handle}@members.artist-spark.example`;
}
