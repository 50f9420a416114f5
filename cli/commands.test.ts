/** The commands as an operator runs them: processes of their own, on databases of their own. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { decodeJwt, jwtVerify } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { REPOSITORY } from '../sandbox/node-program.js';
import { createTestDatabase, type TestDatabase } from '../test/support/database.js';
import { submissionReviewId } from '../workflows/submission-review/contract.js';

const JWT_SECRET = 'a secret of this test that is long enough';
const ADMIN = 'ops@artist-spark.example';

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

let database: TestDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
});

afterAll(async () => {
  await owner.end();
  await database.drop();
});

function spark(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [path.join(REPOSITORY, 'cli/spark.js'), ...args], {
    // From anywhere: nothing may depend on the working directory.
    cwd: '/',
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATABASE_URL: database.adminUrl,
      JWT_SECRET,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      SPARK_TASK_QUEUE: database.name,
      PUBLIC_URL: 'http://127.0.0.1:9',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

async function value<T>(sql: string, parameters: unknown[] = []): Promise<T> {
  const { rows } = await owner.query<{ value: T }>(sql, parameters);
  const [row] = rows;
  if (!row) throw new Error(`no row: ${sql}`);
  return row.value;
}

describe('before the database is migrated', () => {
  test('doctor finds it and says how to repair it', async () => {
    const { code, out } = await spark(['doctor']);
    expect(code).toBe(1);
    expect(out).toMatch(
      /✗ migrations: Not applied: \d+ migrations, \d+_roles\S* to \d+_\w+\S*\.\n {2}→ Run `spark migrate`/,
    );
  });

  test('commands that need tables say what to do', async () => {
    const { code, err } = await spark(['org', 'create', 'Early', '--admin', ADMIN]);
    expect(code).toBe(1);
    expect(err).toContain('Run `spark migrate`');
    expect(err).not.toContain('    at ');
  });
});

describe('the way of an operator', () => {
  test('migrate applies everything once, and sets the passwords of the logins', async () => {
    const password = inject('postgresLoginPassword');
    const first = await spark(['migrate'], { SPARK_DB_PASSWORD: password });
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^Applied \d+ migrations; 0 were/) });
    const second = await spark(['migrate'], { SPARK_DB_PASSWORD: password });
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/^Up to date: \d+ migrations/) });
    const api = new pg.Client({ connectionString: database.apiUrl });
    await api.connect();
    await api.end();
  });

  test('org create makes an org once, with its admin', async () => {
    const first = JSON.parse((await spark(['org', 'create', 'North', '--admin', ADMIN])).out);
    const again = JSON.parse((await spark(['org', 'create', 'North', '--admin', ADMIN.toUpperCase()])).out);
    expect(first.created).toBe(true);
    expect(again).toEqual({ ...first, created: false });
    const role = await value(
      `select role as value from soundcloud_user_roles where org_id = $1 and user_id = $2`,
      [first.org_id, first.admin_user_id],
    );
    expect(role).toBe('admin');
  });

  test('keys login signs a person in, with a token as the API wants it', async () => {
    const { code, out, err } = await spark(['keys', 'login', ADMIN, '--hours', '2']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [link = '', token = ''] = out.trim().split('\n');
    expect(link).toBe(`http://127.0.0.1:9/docs/#token=${token}`);
    const { payload } = await jwtVerify(token, new TextEncoder().encode(JWT_SECRET), {
      algorithms: ['HS256'],
      audience: 'authenticated',
    });
    expect(payload).toMatchObject({ role: 'authenticated', email: ADMIN });
    expect(payload.sub).toBe(await value('select id as value from auth.users where email = $1', [ADMIN]));
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(2 * 3_600);
  });

  test('keys login makes a member’s login and links it to the member', async () => {
    const org = await value<string>(`select id as value from orgs where name = 'North'`);
    const email = 'artist@artist-spark.example';
    await owner.query('insert into soundcloud_members (org_id, name, emails) values ($1, $2, $3)', [
      org,
      'Glass Harbour',
      [email],
    ]);
    const { out } = await spark(['keys', 'login', email]);
    const { sub } = decodeJwt(out.trim().split('\n')[1] ?? '');
    expect(await value('select role as value from soundcloud_user_roles where user_id = $1', [sub])).toBe(
      'member',
    );
  });

  test('keys login of somebody who belongs nowhere gives the token, and says so', async () => {
    const email = 'nobody@artist-spark.example';
    const { code, out, err } = await spark(['keys', 'login', email]);
    expect([code, decodeJwt(out.trim().split('\n')[1] ?? '').email]).toEqual([0, email]);
    expect(err).toContain(`${email} belongs to no org yet`);
    expect(err).toContain(`npx spark org create NAME --admin ${email}`);
  });

  test('keys login without a secret says which variable is missing', async () => {
    const { code, err } = await spark(['keys', 'login', ADMIN], { JWT_SECRET: '' });
    expect(code).toBe(1);
    expect(err).toContain('JWT_SECRET is not set');
  });
});

describe('doctor', () => {
  test('finds a ledger that does not add up, a backlog, missing workflows and absent servers; repair starts the workflows', async () => {
    const org = await value<string>(`select id as value from orgs where name = 'North'`);
    const member = await value<string>('select id as value from soundcloud_members where org_id = $1', [org]);
    const submission = await value<string>(
      `insert into soundcloud_submissions (org_id, member_id, track_url, artist_name)
       values ($1, $2, 'https://soundcloud.com/glass-harbour/low-tide', 'Glass Harbour') returning id as value`,
      [org, member],
    );
    // Its event was relayed, but the workflow is gone; another event has been waiting for an hour.
    await owner.query('update soundcloud_events set relayed_at = now() where relayed_at is null');
    await owner.query(
      `insert into soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, created_at, relay_error, dedupe_key)
       values ($1, 'org.created', 'org', $1, '{}', now(), now() - interval '1 hour', 'it did not work', 'late')`,
      [org],
    );
    // A mistake that triggers would stop, made as a superuser can make it.
    await owner.query(`begin; set local session_replication_role = replica;
      update soundcloud_repost_credit_wallet set balance = balance + 1, cap = cap + 1; commit`);

    const { code, out } = await spark(['doctor']);
    expect(code).toBe(1);
    expect(out).toMatch(/✗ ledger: balance_is_sum_of_entries/);
    expect(out).toMatch(/✗ outbox: 1 events wait .* for 01:00:0\d.*it did not work/);
    expect(out).toContain(`1 open rows have no running workflow: ${submissionReviewId(org, submission)}`);
    for (const suffix of ['', '-soundcloud', '-email', '-webhooks', '-influence-planner'])
      expect(out).toContain(`No worker has asked for work on ${database.name}${suffix} `);
    expect(out).toContain('The API at http://127.0.0.1:9 does not answer');
    // Every finding says what to do.
    expect(out.match(/^✗ /gm)).toHaveLength(out.match(/^ {2}→ /gm)?.length ?? 0);

    const repaired = JSON.parse((await spark(['doctor', '--repair', '--json'])).out);
    expect(repaired.ok).toBe(false);
    expect(repaired.findings.map(({ area }: { area: string }) => area)).not.toContain('workflows');
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    try {
      const handle = new Client({ connection }).workflow.getHandle(submissionReviewId(org, submission));
      expect((await handle.describe()).status.name).toBe('RUNNING');
      await handle.terminate('end of the test');
    } finally {
      await connection.close();
    }
  });

  test('says where nothing answers', async () => {
    const { code, err } = await spark(['doctor'], { DATABASE_URL: 'postgresql://nobody:x@127.0.0.1:9/none' });
    expect(code).toBe(1);
    expect(err).toBe(
      'Nothing answers at 127.0.0.1:9. Start that server, or correct the address (DATABASE_URL, TEMPORAL_ADDRESS).\n',
    );
    const temporal = await spark(['doctor'], { TEMPORAL_ADDRESS: '127.0.0.1:9' });
    expect(temporal.out).toMatch(/✗ servers: Temporal at 127\.0\.0\.1:9, namespace default, does not answer/);
  });
});

describe('a data folder that is not there', () => {
  test.each([
    [['doctor']],
    [['migrate']],
    [['keys', 'login', ADMIN]],
    [['org', 'create', 'Typo', '--admin', ADMIN]],
  ])('%j names it and makes nothing', async (args) => {
    const parent = mkdtempSync(path.join(tmpdir(), 'no-data-folder-'));
    try {
      const mistyped = path.join(parent, 'artist-sprak');
      const { code, out, err } = await spark([...args, '--data', mistyped]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toContain(`There is no data folder at ${mistyped}.`);
      expect(err).toContain(`\`npx spark start --data ${mistyped}\``);
      const nowhere = { DATABASE_URL: '', HOME: parent, XDG_DATA_HOME: '', SPARK_HOME: '' };
      const atHome = await spark(args, nowhere);
      expect(atHome.code).toBe(1);
      expect(atHome.err).toContain('Start one with `npx spark start`');
      expect(readdirSync(parent)).toEqual([]);
    } finally {
      rmSync(parent, { recursive: true, force: true });
    }
  });

  test('an existing folder without a stack in it stays as it is, and a stack elsewhere is named', async () => {
    const parent = mkdtempSync(path.join(tmpdir(), 'no-data-folder-'));
    try {
      const usual = path.join(parent, 'usual');
      const empty = path.join(parent, 'empty');
      for (const folder of [usual, empty]) mkdirSync(folder);
      writeFileSync(path.join(usual, 'stack.json'), '{}');
      const { code, err } = await spark(['doctor', '--data', empty], { SPARK_HOME: usual });
      expect(code).toBe(1);
      expect(err).toMatch(/There is no data folder at .*empty\. Others on this machine: .*usual/);
      expect(readdirSync(empty)).toEqual([]);
    } finally {
      rmSync(parent, { recursive: true, force: true });
    }
  });
});

describe('mistakes at the command line', () => {
  test.each([
    [['keys', 'login', 'nonsense'], /must be an e-mail address/],
    [['org', 'create', 'X'], /required option '--admin <email>'/],
    [['start', '--day-seconds', '5'], /whole number between 24 and 86400/],
    [['strat'], /unknown command 'strat'[\s\S]*Did you mean start/],
    [['keys', 'login', ADMIN, '--hours', '0'], /between 1 and 720/],
  ])('%j is explained', async (args, message) => {
    const { code, err } = await spark(args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toContain('    at ');
  });

  test('start with a database whose logins are unknown says what to set', async () => {
    const { code, err } = await spark(['start', '--data', '/nonexistent/never-made']);
    expect(code).toBe(1);
    expect(err).toContain('Set SPARK_DB_PASSWORD');
  });

  test('--verbose shows the stack trace', async () => {
    const { err } = await spark(['--verbose', 'doctor'], {
      DATABASE_URL: 'postgresql://nobody:x@127.0.0.1:9/none',
    });
    expect(err).toMatch(/\n {4}at /);
  });
});
