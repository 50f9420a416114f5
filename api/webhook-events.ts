/** The events integrators receive: type, words, schema and an example of each body `{type, timestamp, data}`. */
import { z } from 'zod';
import type { EventType } from '../domain/events.js';
import { queueWebhookEvents } from './queue-webhook-events.js';
import { timestamp } from './schemas.js';

export interface WebhookEvent {
  type: EventType;
  description: string;
  schema: z.ZodType;
  example: { type: EventType; timestamp: string; data: Record<string, unknown> };
}

const SUBMISSION = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d10';
const MEMBER = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d11';
const PERSON = '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d12';
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
      data: data.extend({ submission_id: z.uuid() }),
    }),
    example: { type, timestamp: AT, data: { submission_id: SUBMISSION, ...example } },
  };
}

/** An event about a member. */
function memberEvent(
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
      data: data.extend({ member_id: z.uuid() }),
    }),
    example: { type, timestamp: AT, data: { member_id: MEMBER, ...example } },
  };
}

const tier = z.enum(['T1', 'T2', 'T3', 'T4']);
const tierChange = z.object({
  old_tier: tier,
  new_tier: tier,
  followers: z.int(),
  monthly_grant: z.int(),
  cap: z.int().describe("The new tier's; after a fall a wallet keeps what it holds."),
});
const accountStatus = z.enum(['linked', 'reconnect', 'disconnected', 'error']);
const accountOf = { account_id: z.uuid(), account_handle: z.string() };
const ACCOUNT = { account_id: PERSON, account_handle: 'night-harbor' };

export const webhookEvents: readonly WebhookEvent[] = [
  {
    type: 'submission.created',
    description: 'A track was submitted; a decision is promised.',
    schema: z.object({
      type: z.literal('submission.created'),
      timestamp: timestamp.describe('Business time of the change.'),
      data: z.object({
        id: z.uuid(),
        member_id: z.uuid().nullable(),
        track_url: z.string(),
        track_name: z.string().nullable(),
        artist_name: z.string().nullable(),
        status: z.literal('new'),
        submitted_at: timestamp,
      }),
    }),
    example: {
      type: 'submission.created',
      timestamp: AT,
      data: {
        id: SUBMISSION,
        member_id: MEMBER,
        track_url: 'https://soundcloud.com/night-harbor/low-tide',
        track_name: 'Low Tide',
        artist_name: 'Night Harbor',
        status: 'new',
        submitted_at: AT,
      },
    },
  },
  event(
    'submission.decided',
    'Approved or rejected.',
    z.object({
      status: z.enum(['approved', 'rejected']),
      decided_by: z.string().describe('User id, or `system`.'),
      reason: z.string().optional(),
    }),
    { status: 'approved', decided_by: PERSON },
  ),
  event(
    'submission.breached',
    'The promised time for a decision is over; repeated daily.',
    z.object({
      promise: z.literal('decision'),
      hours: z.number(),
      times: z.int(),
      due_at: timestamp.nullable(),
    }),
    { promise: 'decision', hours: 24, times: 1, due_at: AT },
  ),
  event(
    'submission.withdrawn',
    'Taken back by the member or by ops.',
    z.object({ by: z.string().describe('User id, or `key:<id>`.') }),
    {
      by: PERSON,
    },
  ),
  event(
    'submission.supported',
    'All its reposts are settled, at least one was completed.',
    z.object({ support_url: z.string().nullable(), credits_consumed: z.int() }),
    { support_url: 'https://soundcloud.com/night-harbor/low-tide', credits_consumed: 3 },
  ),
  event(
    'submission.unsupported',
    "No repost was completed; the month's slot is free again.",
    z.object({ reason: z.string() }),
    { reason: 'no_completed_assignment' },
  ),
  {
    type: 'credits.changed',
    description: "Ops changed a member's credits by hand.",
    schema: z.object({
      type: z.literal('credits.changed'),
      timestamp: timestamp.describe('Business time of the change.'),
      data: z.object({
        member_id: z.uuid(),
        amount: z.int().describe('Credits given (positive) or taken (negative).'),
        balance_after: z.int(),
        reason: z.string(),
        entry_id: z.uuid(),
        credit_change_id: z.uuid(),
        requested_by: z.uuid(),
        approved_by: z.uuid().nullable().describe('Null when no second person was needed.'),
      }),
    }),
    example: {
      type: 'credits.changed',
      timestamp: AT,
      data: {
        member_id: MEMBER,
        amount: 5,
        balance_after: 8,
        reason: 'Refund for the repost that was taken down',
        entry_id: '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d13',
        credit_change_id: '0198f1f0-5a0e-7c33-9d7e-3b6a1c7f2d14',
        requested_by: PERSON,
        approved_by: null,
      },
    },
  },
  ...queueWebhookEvents,
  memberEvent('member.promoted', 'Followers rose above the border of a higher tier.', tierChange, {
    old_tier: 'T2',
    new_tier: 'T3',
    followers: 12_000,
    monthly_grant: 2,
    cap: 20,
  }),
  memberEvent(
    'member.demoted',
    'Followers stayed below the border of the tier for several days.',
    tierChange,
    {
      old_tier: 'T3',
      new_tier: 'T2',
      followers: 9_000,
      monthly_grant: 1,
      cap: 6,
    },
  ),
  memberEvent(
    'member.disconnected',
    'An account can do no reposts any more.',
    z.object({ ...accountOf, status: accountStatus, previous_status: accountStatus }),
    { ...ACCOUNT, status: 'disconnected', previous_status: 'linked' },
  ),
  memberEvent(
    'member.reconnected',
    'An account can do reposts again.',
    z.object({ ...accountOf, status: accountStatus, previous_status: accountStatus }),
    { ...ACCOUNT, status: 'linked', previous_status: 'disconnected' },
  ),
  memberEvent(
    'member.reconnect_due',
    'The member is asked to reconnect: on the day of the loss, after 3 and after 10 days.',
    z.object({ ...accountOf, status: accountStatus, prompt: z.int(), days_disconnected: z.int() }),
    { ...ACCOUNT, status: 'disconnected', prompt: 2, days_disconnected: 3 },
  ),
];
