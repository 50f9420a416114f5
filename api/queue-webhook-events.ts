/** What integrators hear of queues. Same form as webhook-events.ts, which lists them. */
import { z } from 'zod';
import type { EventType } from '../domain/events.js';
import { calendarDate, timestamp } from './schemas.js';
import type { WebhookEvent } from './webhook-events.js';

const QUEUE = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d20';
const ASSIGNMENT = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d21';
const SUBMISSION = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d10';
const SUPPORTER = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d22';
const PERSON = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d12';
const DATE = '2026-03-02';
const AT = '2026-03-02T09:30:00.000Z';

function event(
  type: EventType,
  description: string,
  data: z.ZodObject,
  example: Record<string, unknown>,
): WebhookEvent {
  return {
    type,
    description,
    schema: z.object({
      type: z.literal(type),
      timestamp: timestamp.describe('Business time of the change.'),
      data: data.extend({ queue_id: z.uuid() }),
    }),
    example: { type, timestamp: AT, data: { queue_id: QUEUE, ...example } },
  };
}

const count = z.int();

export const queueWebhookEvents: readonly WebhookEvent[] = [
  event(
    'queue.drafted',
    'A draft was generated, or generated anew; ops approve it until `approve_by`.',
    z.object({
      date: calendarDate,
      revision: count,
      assignments: count,
      submissions: count.describe('With open demand.'),
      unserved: count,
      approve_by: timestamp,
    }),
    { date: DATE, revision: 1, assignments: 40, submissions: 12, unserved: 1, approve_by: AT },
  ),
  event(
    'queue.approved',
    'Ops approved it, in whole or in part; it is published next.',
    z.object({
      date: calendarDate,
      approved_by: z.uuid().nullable(),
      assignments: count,
      excluded: count,
    }),
    { date: DATE, approved_by: PERSON, assignments: 39, excluded: 1 },
  ),
  event(
    'queue.published',
    'It is out: credits are held, supporters are told.',
    z.object({
      date: calendarDate,
      revision: count,
      assignments: count,
      submissions: count,
      credits: count.describe('Held in all.'),
      dropped: count.describe('No longer held when it went out.'),
      refilled: count.describe('Of these, given to somebody else.'),
      shifted: count.describe('Submissions that moved to the next queue.'),
    }),
    {
      date: DATE,
      revision: 3,
      assignments: 39,
      submissions: 11,
      credits: 57,
      dropped: 2,
      refilled: 2,
      shifted: 1,
    },
  ),
  event(
    'queue.lapsed',
    'Nobody approved it in time; its submissions moved to the next queue.',
    z.object({ date: calendarDate, revision: count, shifted: count }),
    { date: DATE, revision: 1, shifted: 12 },
  ),
  event(
    'queue.settled',
    'Every assignment of it is settled.',
    z.object({
      date: calendarDate,
      assignments: count,
      completed: count,
      skipped: count,
      failed: count,
      captured: count.describe('Credits.'),
      released: count.describe('Credits.'),
      reach: count.describe('Of completed assignments.'),
    }),
    {
      date: DATE,
      assignments: 40,
      completed: 36,
      skipped: 1,
      failed: 3,
      captured: 52,
      released: 5,
      reach: 31_200,
    },
  ),
  event(
    'assignment.published',
    'A supporter has a repost to do, at a queue’s publication or in the place of somebody else.',
    z.object({
      assignment_id: z.uuid(),
      queue_date: calendarDate,
      submission_id: z.uuid(),
      supporter_id: z.uuid(),
      slot_at: timestamp,
    }),
    {
      assignment_id: ASSIGNMENT,
      queue_date: DATE,
      submission_id: SUBMISSION,
      supporter_id: SUPPORTER,
      slot_at: '2026-03-02T14:00:00.000Z',
    },
  ),
];
