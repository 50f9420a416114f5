/**
 * A small world for tests that cross rooms: a database of its own, stand-ins of the outside systems, an org with its
 * people, and a worker on task queues of its own. Everything is real; nothing is shared with another test file but the
 * servers.
 */
import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { sql } from 'kysely';
import { inject } from 'vitest';
import { type Config, readConfig } from '../../config/config.js';
import { createLogger } from '../../config/log.js';
import { createDatabase, type Db } from '../../db/client.js';
import { readClock } from '../../db/clock.js';
import { setClock } from '../../db/setup.js';
import { registerSearchAttributes } from '../../outbox/search-attributes.js';
import { prepareTemporal, type RunningWorker, startWorker } from '../../worker.js';
import { submissionReviewId } from '../../workflows/submission-review/contract.js';
import { disorderInBooks } from './books.js';
import { createTestDatabase, type DatabaseServer, type TestDatabase } from './database.js';
import { createTestSandbox, type TestSandbox } from './sandbox-systems.js';

export interface World {
  database: TestDatabase;
  /** The owner: sees everything. */
  db: Db;
  sandbox: TestSandbox;
  config: Config;
  /** Environment of a worker or API process of this world. */
  env: Record<string, string>;
  client: Client;
  orgId: string;
  adminId: string;
  moderatorId: string;
  startWorker(): Promise<RunningWorker>;
  addMember(options?: MemberOptions): Promise<Member>;
  /** A track in the SoundCloud stand-in and a submission of it, as the API would write it. */
  submit(options?: SubmissionOptions): Promise<Submission>;
  /** Stops and drops everything. @throws Error when the books are not in order: no suite may end so. */
  remove(): Promise<void>;
}

export interface MemberOptions {
  followers?: number;
  family?: string;
  subgenre?: string;
  email?: string | null;
}

export interface Member {
  id: string;
  handle: string;
  email: string | null;
}

export interface SubmissionOptions {
  member?: Member;
  genre?: string | null;
  title?: string;
  /** Given as it is, without a track behind it. */
  trackUrl?: string;
  /** How long ago it was submitted, ms (default 0). */
  agoMs?: number;
  /** True marks its event as relayed: the test starts the review itself. */
  unstarted?: boolean;
}

export interface Submission {
  id: string;
  workflowId: string;
  member: Member;
  trackUrl: string;
}

// The SDK tells of each state of each worker and of each activity that is tried again otherwise.
Runtime.install({ logger: new DefaultLogger('ERROR') });

/** Servers of a world's own, where the run's will not do: a test stops them, or there is no vitest. */
export interface WorldServers {
  database: DatabaseServer;
  /** `host:port` of a development server (not a time-skipping one). */
  temporalAddress: string;
  /** Path of the workflow bundle. */
  workflowBundle: string;
}

/**
 * @param options.temporalAddress a time-skipping server, instead of the run's
 * @param options.businessStart with daySeconds: the business instant (epoch ms) that begins now
 * @param options.now that server's time, epoch ms: its days run ahead of the real ones
 * @param options.servers those that are not given are the run's
 */
export async function createWorld(
  options: {
    temporalAddress?: string;
    daySeconds?: number;
    businessStart?: number;
    now?: () => Promise<number>;
    servers?: Partial<WorldServers>;
  } = {},
): Promise<World> {
  const { servers = {} } = options;
  const database = await createTestDatabase({ ...(servers.database && { server: servers.database }) });
  const db = createDatabase(database.adminUrl, { max: 5 });
  if (options.daySeconds !== undefined) await setClock(db, { ...options, daySeconds: options.daySeconds });
  const sandbox = await createTestSandbox({ clock: await readClock(db) });
  const env: Record<string, string> = {
    ...sandbox.env,
    DATABASE_URL: database.adminUrl,
    SPARK_API_DATABASE_URL: database.apiUrl,
    SPARK_WORKER_DATABASE_URL: database.workerUrl,
    TEMPORAL_ADDRESS: options.temporalAddress ?? servers.temporalAddress ?? inject('temporalAddress'),
    SPARK_TASK_QUEUE: `test-${randomBytes(6).toString('hex')}`,
    SPARK_WORKFLOW_BUNDLE: servers.workflowBundle ?? inject('workflowBundle'),
    RESEND_REQUESTS_PER_SECOND: '1000',
    JWT_SECRET: randomBytes(32).toString('base64url'),
    SPARK_ORG_SCHEDULES: 'off',
    LOG_LEVEL: 'silent',
  };
  const config = readConfig(env);
  const { orgId, adminId, moderatorId } = await createOrg(db);
  const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  const client = new Client({ connection });
  // The time-skipping server has no schedules and cannot list search attributes.
  if (options.temporalAddress === undefined) await prepareTemporal(config, createLogger('test', 'silent'));
  else await registerSearchAttributes(connection, config.TEMPORAL_NAMESPACE);
  const workers: RunningWorker[] = [];
  let counter = 0;

  async function addMember(given: MemberOptions = {}): Promise<Member> {
    counter += 1;
    const handle = `member-${counter}`;
    const email = given.email === undefined ? `${handle}@members.test` : given.email;
    const { family = 'Electronic', subgenre = 'House', followers = 5_000 } = given;
    const { rows } = await sql<{ id: string }>`
      with member as (
        insert into public.soundcloud_members (org_id, name, emails, primary_email, soundcloud_followers, soundcloud_handle)
        values (${orgId}, ${`Member ${counter}`}, ${email === null ? [] : [email]}, ${email}, ${followers}, ${handle})
        returning id
      ), account as (
        insert into public.soundcloud_member_accounts (org_id, member_id, platform, handle, follower_count)
        select ${orgId}, id, 'soundcloud', ${handle}, ${followers} from member
      ), genre as (
        insert into public.soundcloud_member_genres (org_id, member_id, genre_family_id, subgenre_id)
        select ${orgId}, member.id, f.id, s.id
        from member, public.soundcloud_genre_families f
        left join public.soundcloud_subgenres s on s.org_id = f.org_id and s.family_id = f.id and s.name = ${subgenre}
        where f.org_id = ${orgId} and f.name = ${family}
      )
      select id from member`.execute(db);
    const id = rows[0]?.id;
    if (id === undefined) throw new Error('the member was not inserted');
    return { id, handle, email };
  }

  async function submit(given: SubmissionOptions = {}): Promise<Submission> {
    const member = given.member ?? (await addMember());
    counter += 1;
    const trackUrl = given.trackUrl ?? (await addTrack(member, given, counter));
    const now = options.now === undefined ? Date.now() : await options.now();
    const submittedAt =
      options.now === undefined && given.agoMs === undefined ? null : now - (given.agoMs ?? 0);
    const rows = await db.transaction().execute(async (trx) => {
      const { rows: inserted } = await sql<{ id: string }>`
        insert into public.soundcloud_submissions (org_id, member_id, track_url, submitted_at)
        values (${orgId}, ${member.id}, ${trackUrl},
          coalesce(${submittedAt === null ? null : new Date(submittedAt)}::timestamptz, private.business_now()))
        returning id`.execute(trx);
      if (given.unstarted) {
        await sql`update public.soundcloud_events set relayed_at = now()
          where entity_id = ${inserted[0]?.id ?? null}`.execute(trx);
      }
      return inserted;
    });
    const id = rows[0]?.id;
    if (id === undefined) throw new Error('the submission was not inserted');
    return { id, workflowId: submissionReviewId(orgId, id), member, trackUrl };
  }

  async function addTrack(member: Member, given: SubmissionOptions, number: number): Promise<string> {
    await sandbox.admin.addUsers([{ handle: member.handle, name: member.handle, followers: 5_000 }]);
    const [track] = await sandbox.admin.addTracks([
      {
        handle: member.handle,
        title: given.title ?? `Track ${number}`,
        genre: given.genre === undefined ? 'House' : given.genre,
        tags: [],
      },
    ]);
    if (track === undefined) throw new Error('the stand-in took no track');
    return track.url;
  }

  return {
    database,
    db,
    sandbox,
    config,
    env,
    client,
    orgId,
    adminId,
    moderatorId,
    addMember,
    submit,
    async startWorker() {
      const worker = await startWorker(config, createLogger('test', 'silent'));
      workers.push(worker);
      return worker;
    },
    async remove() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await connection.close();
      const disorder = await disorderInBooks(db);
      await db.destroy();
      await sandbox.remove();
      await database.drop();
      if (disorder) throw disorder;
    },
  };
}

async function createOrg(db: Db): Promise<{ orgId: string; adminId: string; moderatorId: string }> {
  const { rows } = await sql<{ org_id: string; user_id: string }>`
    select * from private.create_org('Test Org', 'admin@ops.test')`.execute(db);
  const org = rows[0];
  if (org === undefined) throw new Error('the org was not made');
  const { rows: moderators } = await sql<{ id: string }>`
    with login as (
      insert into auth.users (email, email_confirmed_at) values ('moderator@ops.test', now()) returning id
    ), membership as (
      insert into public.memberships (org_id, user_id) select ${org.org_id}, id from login
    ), role as (
      insert into public.soundcloud_user_roles (org_id, user_id, role) select ${org.org_id}, id, 'moderator' from login
    )
    select id from login`.execute(db);
  const moderator = moderators[0];
  if (moderator === undefined) throw new Error('the moderator was not made');
  return { orgId: org.org_id, adminId: org.user_id, moderatorId: moderator.id };
}
