/** Which workflow belongs to which row: the one table the relay, the reconciler and the API start lifecycles from. */
import { TypedSearchAttributes } from '@temporalio/common';
import { REPOST_SCHEDULE_TYPE, repostScheduleId } from '../workflows/repost-schedule/contract.js';
import { searchAttributes } from '../workflows/shared/search-attributes.js';
import { SUBMISSION_REVIEW_TYPE, submissionReviewId } from '../workflows/submission-review/contract.js';

export interface LifecycleStart {
  workflowType: string;
  workflowId: string;
  args: [object];
  entityId: string;
  /** What the Temporal UI finds it by. */
  typedSearchAttributes: TypedSearchAttributes;
  /** One line for the Temporal UI; ids only. */
  summary: string;
  /** Markdown for the Temporal UI. */
  details: string;
  /** True for a lifecycle that may run again after it ended well; its first activity looks at closed_at. */
  mayRunAgain: boolean;
}

/** A row that has a lifecycle. */
export interface LifecycleRow {
  entityType: string;
  orgId: string;
  entityId: string;
  /** What the workflow id is built from where it is not the row's id: a queue's date. */
  entityKey: string | null;
}

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
}

type Build = (row: Omit<LifecycleRow, 'entityType'>) => LifecycleStart;

/** @param given what differs from lifecycle to lifecycle. */
function lifecycle(
  row: Omit<LifecycleRow, 'entityType'>,
  given: Pick<LifecycleStart, 'workflowType' | 'workflowId' | 'args' | 'summary'> & {
    details: string[];
    mayRunAgain?: boolean;
  },
): LifecycleStart {
  return {
    ...given,
    entityId: row.entityId,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.orgId, value: row.orgId },
      { key: searchAttributes.entityId, value: row.entityId },
    ]),
    details: [...given.details, 'What it waits for stands under "Current details".'].join('\n'),
    mayRunAgain: given.mayRunAgain ?? false,
  };
}

const submissionReview: Build = (row) =>
  lifecycle(row, {
    workflowType: SUBMISSION_REVIEW_TYPE,
    workflowId: submissionReviewId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, submissionId: row.entityId }],
    summary: `Review of submission ${row.entityId}`,
    details: [
      'Answers a submission within the promised time.',
      '',
      'Commands, as Update or Signal: `decide`, `assignOwner`, `withdraw`, `provideLiveLink`. Query: `state`.',
    ],
  });

const repostSchedule: Build = (row) =>
  lifecycle(row, {
    workflowType: REPOST_SCHEDULE_TYPE,
    workflowId: repostScheduleId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, scheduleId: row.entityId }],
    summary: `Schedule ${row.entityId}`,
    details: [
      'One repost that Influence Planner makes: sent once, followed until it is made, missed or cancelled.',
      '',
      'Commands, as Update or Signal: `cancel`, `confirmCancelled`, `answerUnknown`. Query: `state`.',
    ],
  });

const BY_ENTITY: Readonly<Record<string, Build>> = { submission: submissionReview, schedule: repostSchedule };

type Route = (event: OutboxEvent) => Handover[];

/** The lifecycle of the event's own row, started or told. */
const own =
  (build: Build, entityKey: (event: OutboxEvent) => string | null = () => null): Route =>
  (event) => [
    {
      lifecycle: build({
        orgId: event.org_id,
        entityId: event.entity_id,
        entityKey: entityKey(event),
      }),
    },
  ];

/** Tells the lifecycle of another row that the event names; none when the event names no such row. */
const told =
  (
    build: Build,
    rowOf: (event: OutboxEvent) => { entityId: unknown; entityKey?: unknown },
    signal: (event: OutboxEvent) => { name: string; input?: object },
  ): Route =>
  (event) => {
    const { entityId, entityKey } = rowOf(event);
    if (typeof entityId !== 'string') return [];
    const { name, input } = signal(event);
    const row = {
      orgId: event.org_id,
      entityId,
      entityKey: typeof entityKey === 'string' ? entityKey : null,
    };
    return [{ lifecycle: build(row), signal: { name, input: { ...input, commandId: event.id } } }];
  };

const scheduleItself = (event: OutboxEvent) => ({ entityId: event.entity_id });

const ROUTES: Readonly<Record<string, Route>> = {
  'submission.created': own(submissionReview),
  'schedule.requested': own(repostSchedule),
  'schedule.cancel_requested': told(repostSchedule, scheduleItself, ({ data }) => ({
    name: 'cancel',
    input: { by: 'system', reason: data.reason },
  })),
  'schedule.webhook_received': told(repostSchedule, scheduleItself, ({ data }) => ({
    name: 'plannerReported',
    input: { ...data, receiptId: data.receipt_id },
  })),
};

/** The lifecycle a row belongs to; undefined for rows without one. */
export function lifecycleOf({ entityType, ...row }: LifecycleRow): LifecycleStart | undefined {
  return BY_ENTITY[entityType]?.(row);
}

/** The lifecycles an event starts or tells; none for an event that only informs. */
export function handoversOf(event: OutboxEvent): Handover[] {
  return ROUTES[event.type]?.(event) ?? [];
}
