/** A running API with its own database: two orgs with their people, and calls over real HTTP that check every answer. */
import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, inject } from 'vitest';
import { isProblemCode, problemKind } from '../../api/problems.js';
import type { Route } from '../../api/route.js';
import { routes } from '../../api/routes.js';
import { type ApiOptions, type RunningApi, startApi } from '../../api/server.js';
import { signToken } from '../../cli/token.js';
import { readConfig } from '../../config/config.js';
import { createLogger } from '../../config/log.js';
import { createDatabase, type Db } from '../../db/client.js';
import { createOrg } from '../../db/setup.js';
import { disorderInBooks } from './books.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface Person {
  id: string;
  email: string;
  token: string;
}

export interface CallOptions {
  as?: Person | string | null;
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: string | Buffer;
  /** Idempotency-Key; POST gets a new one when left out, null sends none. */
  key?: string | null;
  org?: string;
  headers?: Record<string, string>;
}

/** Fields that tests look into; whether they are there is what the tests find out. */
export interface AnswerBody {
  [field: string]: unknown;
  id: string;
  code: string;
  status: string | number;
  data: AnswerBody[];
  errors: { in: string; pointer: string; detail: string }[];
  next_cursor: string | null;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: AnswerBody;
}

export interface ApiWorld {
  url: string;
  database: TestDatabase;
  /** The owner: sees everything. */
  db: Db;
  secret: string;
  orgId: string;
  otherOrgId: string;
  admin: Person;
  moderator: Person;
  /** A login that is the member `memberId`. */
  member: Person;
  memberId: string;
  otherAdmin: Person;
  /** Member of `orgId`, admin of `otherOrgId`. */
  between: Person;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A login with verified e-mail, without any membership. */
  addLogin(email: string): Promise<Person>;
  addMember(orgId: string, email?: string): Promise<string>;
  /** A SoundCloud address nobody has submitted yet. */
  trackUrl(): string;
  count(table: 'soundcloud_submissions' | 'soundcloud_events' | 'soundcloud_audit_log'): Promise<number>;
  restart(env: Record<string, string>): Promise<void>;
  /** @throws Error when the books are not in order: no suite may end so. */
  remove(): Promise<void>;
}

export async function createApiWorld(
  options: ApiOptions & { env?: Record<string, string>; database?: TestDatabase } = {},
): Promise<ApiWorld> {
  const database = options.database ?? (await createTestDatabase());
  const db = createDatabase(database.adminUrl, { max: 5 });
  const secret = randomBytes(32).toString('base64url');
  const env = {
    SPARK_API_DATABASE_URL: database.apiUrl,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    SPARK_TASK_QUEUE: `test-${randomBytes(6).toString('hex')}`,
    JWT_SECRET: secret,
    PORT: '0',
    LOG_LEVEL: 'silent',
    ...options.env,
  };
  let api: RunningApi = await startApi(readConfig(env), createLogger('api', 'silent'), options);

  async function person(email: string, id: string): Promise<Person> {
    return { id, email, token: await signToken({ secret, login: { id, email }, hours: 1 }) };
  }
  async function addLogin(email: string): Promise<Person> {
    const id = randomUUID();
    await sql`insert into auth.users (id, email, email_confirmed_at) values (${id}, ${email}, now())`.execute(
      db,
    );
    return person(email, id);
  }
  async function join(login: Person, orgId: string, role: 'admin' | 'moderator' | 'member'): Promise<void> {
    await sql`insert into public.memberships (org_id, user_id) values (${orgId}, ${login.id})`.execute(db);
    await sql`insert into public.soundcloud_user_roles (org_id, user_id, role)
      values (${orgId}, ${login.id}, ${role}::public.soundcloud_app_role)`.execute(db);
  }
  async function addMember(orgId: string, email?: string): Promise<string> {
    const { rows } = await sql<{ id: string }>`
      insert into public.soundcloud_members (org_id, name, emails, monthly_submission_limit)
      values (${orgId}, ${`Member ${randomBytes(3).toString('hex')}`}, ${email === undefined ? [] : [email]}, 1000)
      returning id`.execute(db);
    const [row] = rows;
    if (row === undefined) throw new Error('the member was not inserted');
    return row.id;
  }

  const org = await createOrg(db, { name: 'First Org', adminEmail: 'admin@first.test' });
  const other = await createOrg(db, { name: 'Other Org', adminEmail: 'admin@other.test' });
  const admin = await person('admin@first.test', org.userId);
  const otherAdmin = await person('admin@other.test', other.userId);
  const moderator = await addLogin('moderator@first.test');
  await join(moderator, org.orgId, 'moderator');
  const between = await addLogin('between@both.test');
  await join(between, org.orgId, 'member');
  await join(between, other.orgId, 'admin');
  const member = await addLogin('artist@first.test');
  const memberId = await addMember(org.orgId, member.email);

  async function call(method: string, path: string, given: CallOptions = {}): Promise<Answer> {
    const { as = admin, body, raw, key, org: orgHeader, headers = {} } = given;
    const token = as === null ? undefined : typeof as === 'string' ? as : as.token;
    const sentKey = key === undefined && method === 'POST' ? randomUUID() : key;
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(payload !== undefined && { 'Content-Type': 'application/json' }),
        ...(typeof sentKey === 'string' && { 'Idempotency-Key': sentKey }),
        ...(orgHeader !== undefined && { 'X-Org-Id': orgHeader }),
        ...headers,
      },
      ...(payload !== undefined && { body: payload }),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as AnswerBody,
    };
    checkAnswer(method, path, answer);
    return answer;
  }

  return {
    get url() {
      return api.url;
    },
    database,
    db,
    secret,
    orgId: org.orgId,
    otherOrgId: other.orgId,
    admin,
    moderator,
    member,
    memberId,
    otherAdmin,
    between,
    call,
    addLogin,
    addMember,
    trackUrl: () => `https://soundcloud.com/night-harbor/track-${randomBytes(6).toString('hex')}`,
    async count(table) {
      const { rows } = await sql<{
        n: number;
      }>`select count(*)::integer as n from ${sql.table(table)}`.execute(db);
      return rows[0]?.n ?? 0;
    },
    async restart(changed) {
      await api.stop();
      api = await startApi(readConfig({ ...env, ...changed }), createLogger('api', 'silent'), options);
    },
    async remove() {
      await api.stop();
      const disorder = await disorderInBooks(db);
      await db.destroy();
      if (options.database === undefined) await database.drop();
      if (disorder) throw disorder;
    },
  };
}

/** Every answer of every test keeps the contract: documented status, documented shape, problems with a known code. */
function checkAnswer(method: string, path: string, answer: Answer): void {
  expect(answer.headers.get('x-request-id'), 'a request id').toBeTruthy();
  if (answer.status >= 400) {
    checkProblem(answer);
    return;
  }
  const route = routeOf(method, path);
  const spec = route?.answers[answer.status];
  if (route === undefined || spec === undefined)
    throw new Error(`${method} ${path} → ${answer.status} is not documented.`);
  if (spec.schema === undefined) expect(answer.body).toBeUndefined();
  else expect(spec.schema.parse(answer.body), 'nothing but what is documented').toEqual(answer.body);
  expect(epochsIn(answer.body), 'times are ISO 8601').toEqual([]);
  for (const name of Object.keys(spec.headers ?? {})) expect(answer.headers.get(name), name).toBeTruthy();
}

/** Where an answer holds milliseconds since 1970, of this century or the next: nothing else we count is as large. */
function epochsIn(body: unknown, path = ''): string[] {
  if (typeof body === 'number') return body >= Date.UTC(2000) && body < Date.UTC(2200) ? [path] : [];
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([name, value]) => epochsIn(value, `${path}/${name}`));
}

function checkProblem(answer: Answer): void {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const { code, status, title, detail, type, request_id } = answer.body;
  if (!isProblemCode(code)) throw new Error(`The code ${code} is not in the registry.`);
  expect(status).toBe(answer.status);
  expect(problemKind(code).status).toBe(answer.status);
  expect({ title, detail, request_id }).toEqual({
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
    request_id: answer.headers.get('x-request-id'),
  });
  expect(type).toBe(`/problems#${code}`);
  expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.ts:\d|select |insert into/iu);
}

function routeOf(method: string, path: string): Route | undefined {
  const [pathname = ''] = path.split('?', 1);
  const matches = (route: Route) =>
    route.method === method.toLowerCase() &&
    new RegExp(`^${route.path.replace(/\{\w+\}/gu, '[^/]+')}$`, 'u').test(pathname);
  // A fixed path wins over one with a parameter in its place, as in the router.
  return routes.find((route) => route.path === pathname && matches(route)) ?? routes.find(matches);
}
