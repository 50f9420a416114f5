/** What SoundCloud's lists prove of an account, or a track, that has a history. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { HOUR_MS } from '../domain/calendar.js';
import type { ListSource } from '../domain/proof-evidence.js';
import { assignmentsOf, type PublishedAssignment } from '../test/support/assignments.js';
import { soundCloudOf } from '../test/support/soundcloud.js';
import { createWorld, type Member, type Submission, type World } from '../test/support/world.js';
import { createProofActivities, type RepostAnswer, type RepostQuestion } from './proof.js';
import { createScheduleLookActivities } from './schedule-looks.js';
import type { AskedTooSoon } from './soundcloud.js';

const MONTH_MS = 31 * 24 * HOUR_MS;

let world: World;
let worker: Db;
let the: ReturnType<typeof assignmentsOf>;
let supporter: Member;
/** Its slot was an hour ago. */
let asked: PublishedAssignment;
let looks = 0;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
  the = assignmentsOf(world);
});
afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

beforeEach(async () => {
  supporter = await the.addSupporter();
  asked = await published(supporter, undefined, -1);
  await askedAt(asked, Date.now() - 2 * HOUR_MS);
});

const published = (by: Member, submission?: Submission, slotInHours = 1) =>
  the.publishOne({
    supporters: [by],
    ...(submission !== undefined && { submission }),
    slotInHours,
    unstarted: true,
  });

const askedAt = (assignment: PublishedAssignment, at: number) =>
  sql`update public.soundcloud_events set occurred_at = ${new Date(at)}
    where entity_id = ${assignment.id} and type = 'assignment.published'`.execute(world.db);

/** An assignment of a month ago. */
async function monthAgo(by: Member, submission: Submission) {
  const old = await published(by, submission, -MONTH_MS / HOUR_MS);
  await askedAt(old, Date.now() - MONTH_MS);
  return old;
}

/** A look under a key; one under a key that has evidence is answered from it. */
function ask(
  source: ListSource,
  key: string,
  assignment = asked,
  now = Date.now(),
): Promise<RepostAnswer | AskedTooSoon> {
  const { lookForRepost } = createProofActivities({ db: worker, soundcloud: soundCloudOf(world) });
  const question: RepostQuestion = {
    orgId: world.orgId,
    assignmentId: assignment.id,
    source,
    phase: 'proof',
    key,
    supporterUrn: null,
    now,
  };
  return new MockActivityEnvironment().run(lookForRepost, question);
}

async function look(source: ListSource, assignment = asked, now = Date.now()) {
  looks += 1;
  const key = `look:${looks}`;
  const answer = await ask(source, key, assignment, now);
  if (answer.outcome !== 'looked') throw new Error('the stand-in has no request limit');
  const { facts } = await world.db
    .selectFrom('soundcloud_proof_checks')
    .select('facts')
    .where('assignment_id', '=', assignment.id)
    .where('check_key', '=', key)
    .executeTakeFirstOrThrow();
  const { verdict, positiveControl, scheduled } = answer;
  return { verdict, positiveControl, scheduled, facts: facts as Record<string, unknown> };
}

interface StoredSchedule {
  status: 'pending' | 'scheduled' | 'completed' | 'failed' | 'cancelled';
  intent?: 'intended' | 'sent' | 'confirmed' | 'failed' | 'unknown' | 'cancelled';
  error?: string;
}

/** @returns its id */
async function schedule(assignment: PublishedAssignment, stored: StoredSchedule): Promise<string> {
  const { status, intent = 'confirmed', error = null } = stored;
  const { rows } = await sql<{ id: string }>`
    with item as (
      insert into public.soundcloud_schedules (org_id, parent_type, parent_id, assignment_id, target_handle,
        member_account_id, status, scheduled_at, completed_at, error_message, closed_at)
      select ${world.orgId}, 'submission', ${assignment.submission.id}, ${assignment.id}, account.handle, account.id,
        ${status}, ${new Date(assignment.slotAt)},
        ${status === 'completed' ? new Date(assignment.slotAt) : null}, ${error},
        ${status === 'pending' || status === 'scheduled' ? null : new Date(assignment.slotAt)}
      from public.soundcloud_member_accounts account where account.member_id = ${assignment.supporter.id}
      returning id, org_id
    )
    insert into public.soundcloud_provider_intents (org_id, provider, action, idempotency_key, entity_type, entity_id,
      request, status)
    select org_id, 'influence-planner', 'schedule.create', 'schedule:' || id, 'schedule', id, '{}', ${intent} from item
    returning entity_id as id`.execute(world.db);
  return rows[0]?.id ?? '';
}

describe('a positive control', () => {
  it('is another track that was asked for after the slot, unless the account may have reposted it before', async () => {
    const later = await published(supporter);
    await the.repost(later);
    expect(await look('user_reposts')).toMatchObject({ verdict: 'absent', positiveControl: true });
    await monthAgo(supporter, later.submission);
    expect(await look('user_reposts')).toMatchObject({ verdict: 'absent', positiveControl: false });
  });

  it('is none when the older repost was of the same track by another submission, or for a campaign', async () => {
    const [one, two] = [await published(supporter), await published(supporter)];
    for (const later of [one, two]) await the.repost(later);
    const before = await the.publishOne({ unstarted: true });
    await sql`update public.soundcloud_submissions
      set track_urn = (select 'soundcloud:tracks:' || abs(hashtext(${one.id}))) where id in (${one.submission.id}, ${before.submission.id})`.execute(
      world.db,
    );
    await monthAgo(supporter, before.submission);
    expect((await look('user_reposts')).facts.later).toEqual([two.submission.trackUrl]);
    await sql`with campaign as (
        insert into public.soundcloud_campaigns (org_id, artist_name, track_name, track_url)
        values (${world.orgId}, 'Night Harbor', 'Low Tide', ${two.submission.trackUrl}) returning id
      )
      insert into public.soundcloud_schedules (org_id, parent_type, parent_id, target_handle, member_account_id, status,
        scheduled_at, completed_at)
      select ${world.orgId}, 'campaign', campaign.id, account.handle, account.id, 'completed',
        ${new Date(Date.now() - MONTH_MS)}, ${new Date(Date.now() - MONTH_MS)}
      from campaign, public.soundcloud_member_accounts account where account.member_id = ${supporter.id}`.execute(
      world.db,
    );
    expect(await look('user_reposts')).toMatchObject({ verdict: 'absent', positiveControl: false });
  });

  it('is somebody who was asked for the track after the slot, and did not repost it before; it is kept without a name', async () => {
    const other = await the.addSupporter();
    const later = await published(other, asked.submission);
    await the.repost(later);
    const found = await look('reposters');
    expect(found).toMatchObject({ verdict: 'absent', positiveControl: true, facts: { later: [later.id] } });
    expect(JSON.stringify(found.facts)).not.toContain(other.handle);
    await monthAgo(other, asked.submission);
    expect(await look('reposters')).toMatchObject({ verdict: 'absent', positiveControl: false });
  });
});

describe('a track that the supporter reposted before', () => {
  /** Seen a month ago for another assignment. */
  async function seenBefore() {
    const old = await monthAgo(supporter, asked.submission);
    await the.repost(old, Date.now() - MONTH_MS);
    expect(await look('user_reposts', old, Date.now() - MONTH_MS)).toMatchObject({ verdict: 'seen' });
    return old;
  }

  it.each(['user_reposts', 'reposters'] as const)(
    'is not seen at once in %s: the lists have no times',
    async (list) => {
      await seenBefore();
      const found = await look(list);
      expect(found).toMatchObject({ verdict: 'inconclusive', facts: { reason: 'reposted_before' } });
    },
  );

  it('is seen once a fresh list did not show it in between', async () => {
    await seenBefore();
    await the.repost(await published(supporter));
    await the.unrepost(asked);
    expect(await look('user_reposts')).toMatchObject({ verdict: 'absent', positiveControl: true });
    await the.repost(asked);
    expect(await look('user_reposts', asked, Date.now() + 1)).toMatchObject({ verdict: 'seen' });
  });

  it('does not complete a schedule either, and does once the scheduler was to take the old one down', async () => {
    const old = await seenBefore();
    const { lookForScheduledRepost } = createScheduleLookActivities({
      db: worker,
      soundcloud: soundCloudOf(world),
    });
    const input = { orgId: world.orgId, scheduleId: await schedule(asked, { status: 'scheduled' }) };
    const lookAgain = () => new MockActivityEnvironment().run(lookForScheduledRepost, input);
    expect(await lookAgain()).toMatchObject({ verdict: 'absent', facts: { reason: 'reposted_before' } });
    await schedule(old, { status: 'completed' });
    // Made by the scheduler to stay: nothing takes it down.
    expect(await lookAgain()).toMatchObject({ verdict: 'absent', facts: { reason: 'reposted_before' } });
    expect(await look('user_reposts')).toMatchObject({
      verdict: 'inconclusive',
      facts: { reason: 'reposted_before' },
    });
    await sql`update public.soundcloud_queue_assignments set unrepost_after_hours = 48 where id = ${old.id}`.execute(
      world.db,
    );
    expect(await lookAgain()).toMatchObject({ verdict: 'seen' });
    expect(await look('user_reposts')).toMatchObject({ verdict: 'seen' });
  });
});

describe('whether Influence Planner takes the repost down', () => {
  const NOT_SEEN = 'not_seen: it was not seen on SoundCloud by its deadline.';
  const FAILED = 'failed_in_influence_planner: token expired';

  it.each<[boolean, string, StoredSchedule[]]>([
    [false, 'without a schedule', []],
    [false, 'before it is sent', [{ status: 'pending', intent: 'intended' }]],
    [true, 'while it is being sent', [{ status: 'pending', intent: 'sent' }]],
    [true, 'when it may have been sent', [{ status: 'pending', intent: 'unknown' }]],
    [true, 'when it was sent', [{ status: 'scheduled' }]],
    [true, 'when it was made', [{ status: 'completed' }]],
    [true, 'when nobody saw it', [{ status: 'failed', error: NOT_SEEN }]],
    [false, 'when it could not be made', [{ status: 'failed', error: FAILED }]],
    [false, 'when it was never sent', [{ status: 'failed', intent: 'failed', error: 'too_late: …' }]],
    [false, 'when it was cancelled', [{ status: 'cancelled', intent: 'cancelled' }]],
  ])('is %s %s', async (scheduled, _, schedules) => {
    for (const stored of schedules) await schedule(asked, stored);
    // Of another assignment of the same track, which says nothing of this one.
    await schedule(await monthAgo(supporter, asked.submission), { status: 'completed' });
    expect(await look('user_reposts')).toMatchObject({ scheduled });
    // Asked again, when its answer was lost.
    expect(await ask('user_reposts', `look:${looks}`)).toMatchObject({ outcome: 'looked', scheduled });
  });
});
