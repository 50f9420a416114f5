/** Queues of a world for tests of the workflow: an org whose local time suits, a network, and how a queue is started. */
import { sql } from 'kysely';
import { dateOf } from '../../domain/calendar.js';
import type { QueueHours } from '../../domain/settings.js';
import { lifecycleOf } from '../../outbox/lifecycles.js';
import { dailyQueueId } from '../../workflows/daily-queue/contract.js';
import { addApproved, addMembers, createQueueOrg, type QueueOrg, queueFacts } from './queue-world.js';
import type { World } from './world.js';

export interface TestQueue extends QueueOrg {
  date: string;
  workflowId: string;
  facts: ReturnType<typeof queueFacts>;
  submission: string;
  supporters: string[];
}

/** A zone in which it is between 10:00 and 11:00 at an instant: tests work at any time of day. */
export function zoneAtTen(now: number): string {
  const hours = new Date(now).getUTCHours() - 10;
  // No zone is more than twelve hours behind; there, the next day has begun.
  const behind = hours > 12 ? hours - 24 : hours;
  // The signs of these names are the other way round.
  return behind === 0 ? 'Etc/GMT' : `Etc/GMT${behind > 0 ? '+' : '-'}${Math.abs(behind)}`;
}

let made = 0;

/** An org with an artist, four supporters and one approved submission. @param now business ms */
export async function addQueueOrg(
  world: World,
  now: number,
  hours: Partial<QueueHours> = {},
): Promise<TestQueue> {
  made += 1;
  const { db } = world;
  const org = await createQueueOrg(db, `Queue Org ${made}`);
  const timezone = zoneAtTen(now);
  await sql`update public.soundcloud_settings set timezone = ${timezone}, queue_hours = ${JSON.stringify(hours)}::jsonb
    where org_id = ${org.orgId}`.execute(db);
  const date = dateOf(now, timezone);
  const [artist = '', ...supporters] = await addMembers(db, org.orgId, [
    { handle: `artist-${made}`, balance: 3, activeAt: now },
    ...['one', 'two', 'three', 'four'].map((name) => ({ handle: `${name}-${made}`, activeAt: now })),
  ]);
  const [submission = ''] = await addApproved(db, org.orgId, [
    { memberId: artist, slug: 'track', artist: `artist-${made}`, supportDate: date },
  ]);
  const facts = queueFacts(db, org.orgId);
  return { ...org, date, workflowId: dailyQueueId(org.orgId, date), facts, submission, supporters };
}

/** Starts the queue's workflow as the relay does. */
export async function startQueue(world: World, { orgId, date }: Pick<TestQueue, 'orgId' | 'date'>) {
  const start = lifecycleOf({ entityType: 'queue', orgId, entityId: orgId, entityKey: date });
  if (start === undefined) throw new Error('a queue has no lifecycle');
  return world.client.workflow.start(start.workflowType, {
    workflowId: start.workflowId,
    taskQueue: world.config.SPARK_TASK_QUEUE,
    args: start.args,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
}

/** Opens the lapsed queue again and says so in the outbox, as `POST /v1/queues` does. */
export async function askAgain({ db }: World, { orgId, date }: TestQueue): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { id } = await trx
      .updateTable('soundcloud_queues')
      .set({ status: 'draft', approve_by: null, closed_at: null })
      .where('org_id', '=', orgId)
      .where('status', '=', 'lapsed')
      .returning('id')
      .executeTakeFirstOrThrow();
    await sql`
      insert into public.soundcloud_events (org_id, type, entity_type, entity_id, data, occurred_at, dedupe_key)
      values (${orgId}, 'queue.requested', 'queue', ${id}, ${JSON.stringify({ date })}::jsonb, private.business_now(),
        'queue.requested:' || gen_random_uuid())`.execute(trx);
  });
}

/** Settles every assignment of a published queue as completed, as their workflows do. */
export async function settleAll(
  world: World,
  { orgId }: Pick<TestQueue, 'orgId'>,
  now: number,
): Promise<void> {
  await world.db.transaction().execute(async (trx) => {
    await sql`select private.post_credits_unchecked(${orgId},
      (select jsonb_agg(jsonb_build_object('kind', 'capture', 'assignment_id', h.assignment_id))
       from public.soundcloud_credit_holds h where h.org_id = ${orgId} and h.status = 'open'), ${new Date(now)}, false)`.execute(
      trx,
    );
    await sql`update public.soundcloud_queue_assignments
      set status = 'completed', settled_at = ${new Date(now)}, closed_at = ${new Date(now)}
      where org_id = ${orgId}`.execute(trx);
  });
}
