/** What each event asks for (docs/decisions/0071): the one table the relay follows. */
import { AUTOMATION_MAIL_EVENTS } from '../domain/automation-mails.js';
import {
  accountHealth,
  assignment,
  attribution,
  automationMail,
  type Build,
  dailyQueue,
  type LifecycleStart,
  monthlyCreditGrant,
  repostSchedule,
  submissionReview,
} from './lifecycles.js';

/** An event as the relay takes it off the outbox. */
export interface OutboxEvent {
  id: string;
  org_id: string;
  type: string;
  entity_type: string;
  entity_id: string;
  data: Record<string, unknown>;
}

/** What an event asks for: a lifecycle is started, or, with a signal, told (and started first if it is missing). */
export interface Handover {
  lifecycle: LifecycleStart;
  signal?: { name: string; input: object };
  /** True to run a lifecycle again that has ended; with a signal only. */
  again?: boolean;
}

type Route = (event: OutboxEvent) => Handover[];
type Read<T> = (event: OutboxEvent) => T;

/** A text of the event's data; null where it has none. */
const text =
  (name: string): Read<string | null> =>
  ({ data }) => {
    const value = data[name];
    return typeof value === 'string' ? value : null;
  };

/** Starts the lifecycle of the event's own row. */
const start =
  (build: Build, entityKey: Read<string | null> = () => null): Route =>
  (event) => [
    { lifecycle: build({ orgId: event.org_id, entityId: event.entity_id, entityKey: entityKey(event) }) },
  ];

interface Told {
  build: Build;
  signal: string;
  /** Which row; the event's own unless given. Without one nobody is told. */
  row?: Read<string | null>;
  entityKey?: Read<string | null>;
  input?: Read<object>;
  /** A lifecycle that has ended is run again instead of left alone. */
  again?: boolean;
}

/** Tells a lifecycle. Signals may come twice and out of order: the command id is the event's. */
const tell =
  ({
    build,
    signal,
    row = (event) => event.entity_id,
    entityKey = () => null,
    input = () => ({}),
    again = false,
  }: Told): Route =>
  (event) => {
    const entityId = row(event);
    if (entityId === null) return [];
    const lifecycle = build({ orgId: event.org_id, entityId, entityKey: entityKey(event) });
    return [
      {
        lifecycle,
        signal: { name: signal, input: { ...input(event), commandId: event.id } },
        ...(again && { again }),
      },
    ];
  };

const both =
  (...routes: Route[]): Route =>
  (event) =>
    routes.flatMap((route) => route(event));

const when =
  (holds: Read<boolean>, route: Route): Route =>
  (event) =>
    holds(event) ? route(event) : [];

const ROUTES: Readonly<Record<string, Route>> = {
  'submission.created': start(submissionReview),
  'submission.assigned': both(
    tell({
      build: submissionReview,
      signal: 'assignmentsPublished',
      input: ({ data }) => ({ queueDate: data.queue_date, firstSlotAt: data.first_slot_at }),
    }),
    start(attribution, () => 'submission'),
  ),
  'submission.shifted': tell({
    build: submissionReview,
    signal: 'supportShifted',
    input: ({ data }) => ({ supportDate: data.support_date, reason: data.reason }),
  }),
  // Told, not only started: the run of a date that lapsed may still be ending.
  'queue.requested': tell({ build: dailyQueue, signal: 'requested', entityKey: text('date'), again: true }),
  'assignment.published': start(assignment),
  'assignment.proof_written': tell({
    build: assignment,
    signal: 'submitProof',
    input: ({ data }) => ({ by: data.by, url: data.proof_url }),
  }),
  'assignment.dropped_out': tell({
    build: assignment,
    signal: 'skip',
    input: ({ data }) => ({ by: 'system', reason: data.reason }),
  }),
  'assignment.settled': both(
    tell({
      build: submissionReview,
      signal: 'assignmentsSettled',
      row: text('submission_id'),
      input: ({ data }) => ({ queueDate: data.queue_date }),
    }),
    when(
      ({ data }) => data.queue_done === true,
      tell({
        build: dailyQueue,
        signal: 'assignmentsSettled',
        row: text('queue_id'),
        entityKey: text('queue_date'),
      }),
    ),
  ),
  'schedule.requested': start(repostSchedule),
  'schedule.cancel_requested': tell({
    build: repostSchedule,
    signal: 'cancel',
    input: ({ data }) => ({ by: 'system', reason: data.reason }),
  }),
  'schedule.webhook_received': tell({
    build: repostSchedule,
    signal: 'plannerReported',
    input: ({ data }) => ({ ...data, receiptId: data.receipt_id }),
  }),
  // A campaign's schedule has no assignment: nobody is told.
  'schedule.reported': tell({
    build: assignment,
    signal: 'scheduleReported',
    row: text('assignment_id'),
    input: ({ data }) => ({ status: data.status, proofUrl: data.proof_url ?? null }),
  }),
  'grant.requested': start(monthlyCreditGrant, text('month')),
  'account_health.requested': start(accountHealth, text('date')),
  ...Object.fromEntries(AUTOMATION_MAIL_EVENTS.map((type) => [type, start(automationMail, ({ id }) => id)])),
};

/** The lifecycles an event starts or tells; none for an event that only informs. */
export function handoversOf(event: OutboxEvent): Handover[] {
  return ROUTES[event.type]?.(event) ?? [];
}
