/** Queues and assignments as publish, settle and shift leave them: rows, holds and events, in one transaction each. */
import { sql } from 'kysely';
import type { Trx } from '../../db/client.js';
import { type CreditRequest, postCredits } from '../../db/credits.js';
import { emitEvent } from '../../db/events.js';
import type { InternalEventType } from '../../domain/events.js';
import type { Member, Submission, World } from './world.js';

export interface PublishedAssignment {
  id: string;
  submissionId: string;
  queueDate: string;
}

export interface PublishOptions {
  /** `YYYY-MM-DD`; a queue of that date is made or added to. */
  date: string;
  submission: Submission;
  supporters: Member[];
  /** Business ms of the first slot; the others follow by the hour. */
  slotAt: number;
  /** Business ms of the publication. */
  at: number;
  reach?: number;
  /** The assignment the first supporter's takes the place of. */
  replacementFor?: string;
  /** False: the rows alone, as when the relay is behind. */
  event?: boolean;
}

export function queuesOf(world: World) {
  const { db, orgId } = world;
  const tell = (trx: Trx, type: InternalEventType, entity: string, id: string, data: object, at: number) =>
    emitEvent(trx, {
      orgId,
      type,
      entityType: entity,
      entityId: id,
      data: { ...data },
      occurredAt: at,
      dedupeKey: `${type}:${id}:${at}:${JSON.stringify(data)}`,
    });
  const post = (trx: Trx, requests: CreditRequest[], at: number) =>
    postCredits(trx, orgId, requests, { at: new Date(at) });

  return {
    /** Credits to spend: the network's members start with one. */
    async credit(member: Member, amount: number, at: number): Promise<void> {
      const key = `test:${member.id}:${at}`;
      await db
        .transaction()
        .execute((trx) =>
          post(trx, [{ kind: 'manual', member_id: member.id, amount, reason: 'test', key }], at),
        );
    },

    /** A published queue with one assignment of one credit for each supporter. */
    async publish(options: PublishOptions): Promise<PublishedAssignment[]> {
      const { date, submission, supporters, slotAt, at, reach = 300, replacementFor, event = true } = options;
      return db.transaction().execute(async (trx) => {
        const { rows: queues } = await sql<{ id: string; next: number }>`
          with queue as (
            insert into public.soundcloud_queues (org_id, date, status, published_at)
            values (${orgId}, ${date}::date, 'published', ${new Date(at)})
            on conflict (org_id, date) do update set status = 'published' returning id
          )
          select queue.id, coalesce((select max(a.position) from public.soundcloud_queue_assignments a
            where a.queue_id = queue.id), 0) + 1 as next from queue`.execute(trx);
        const queue = queues[0];
        if (queue === undefined) throw new Error('the queue was not inserted');
        const assignments = [];
        for (const [index, supporter] of supporters.entries()) {
          const { id } = await trx
            .insertInto('soundcloud_queue_assignments')
            .values({
              org_id: orgId,
              queue_id: queue.id,
              submission_id: submission.id,
              supporter_id: supporter.id,
              position: queue.next + index,
              credits_allocated: 1,
              reach,
              reach_factor: 0.06,
              slot_at: new Date(slotAt + index * 3_600_000),
              replacement_for: index === 0 ? (replacementFor ?? null) : null,
            })
            .returning('id')
            .executeTakeFirstOrThrow();
          assignments.push({ id, submissionId: submission.id, queueDate: date });
        }
        const holds = assignments.map(
          ({ id }): CreditRequest => ({
            kind: 'hold',
            member_id: submission.member.id,
            assignment_id: id,
            amount: 1,
          }),
        );
        await post(trx, holds, at);
        const data = {
          queue_id: queue.id,
          queue_date: date,
          first_slot_at: new Date(slotAt).toISOString(),
          assignments: assignments.length,
        };
        if (event) await tell(trx, 'submission.assigned', 'submission', submission.id, data, at);
        return assignments;
      });
    },

    /** An assignment ends: its hold is captured or released, and the review is told. */
    async settle(
      assignment: PublishedAssignment,
      outcome: 'completed' | 'skipped' | 'failed',
      at: number,
      options: { proofUrl?: string; event?: boolean; completedAt?: number } = {},
    ): Promise<void> {
      const { proofUrl = null, event = true, completedAt = at } = options;
      await db.transaction().execute(async (trx) => {
        const done = outcome === 'completed';
        await trx
          .updateTable('soundcloud_queue_assignments')
          .set({
            status: outcome,
            settled_at: new Date(at),
            closed_at: new Date(at),
            completed_at: done ? new Date(completedAt) : null,
            proof_url: proofUrl,
          })
          .where('id', '=', assignment.id)
          .execute();
        await post(trx, [{ kind: done ? 'capture' : 'release', assignment_id: assignment.id }], at);
        const data = { queue_date: assignment.queueDate, submission_id: assignment.submissionId };
        if (event) await tell(trx, 'assignment.settled', 'assignment', assignment.id, data, at);
      });
    },

    /** No queue had room: the submission moves on, and ops are asked when `ask`. */
    async shift(
      submission: Submission,
      to: { date: string; count: number; reason: string; ask?: boolean; at: number },
    ): Promise<void> {
      await db.transaction().execute(async (trx) => {
        await sql`update public.soundcloud_submissions
          set support_date = ${to.date}::date, auto_shifted = true, shift_reason = ${to.reason},
            shift_count = ${to.count}
          where id = ${submission.id}`.execute(trx);
        if (to.ask) {
          await trx
            .insertInto('soundcloud_ops_tasks')
            .values({
              org_id: orgId,
              kind: 'submission_shifts',
              title: 'Go on or close?',
              entity_type: 'submission',
              entity_id: submission.id,
              workflow_id: submission.workflowId,
              dedupe_key: `submission_shifts:${submission.id}:${to.count}`,
            })
            .execute();
        }
        const data = { support_date: to.date, reason: to.reason, shift_count: to.count };
        await tell(trx, 'submission.shifted', 'submission', submission.id, data, to.at);
      });
    },

    task: (submission: Submission) =>
      db
        .selectFrom('soundcloud_ops_tasks')
        .select(['status', 'resolution', 'resolved_by'])
        .where('entity_id', '=', submission.id)
        .executeTakeFirst(),
  };
}
