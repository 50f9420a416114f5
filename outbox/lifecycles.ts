/** Which workflow belongs to which row: the one table the relay, the reconciler and the API start lifecycles from. */
import { TypedSearchAttributes } from '@temporalio/common';
import { AUTOMATION_MAIL_EVENTS } from '../domain/automation-mails.js';
import { ACCOUNT_HEALTH_TYPE, accountHealthId } from '../workflows/account-health/contract.js';
import { ASSIGNMENT_TYPE, assignmentWorkflowId } from '../workflows/assignment/contract.js';
import {
  ATTRIBUTION_TYPE,
  type AttributionParent,
  attributionId,
} from '../workflows/attribution/contract.js';
import { AUTOMATION_MAIL_TYPE, automationMailId } from '../workflows/automation-mail/contract.js';
import { DAILY_QUEUE_TYPE, dailyQueueId } from '../workflows/daily-queue/contract.js';
import { searchAttributes } from '../workflows/shared/search-attributes.js';
import {
  SUBMISSION_REVIEW_TYPE,
  type SupportSignal,
  submissionReviewId,
} from '../workflows/submission-review/contract.js';

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
      'Commands, as Update or Signal: `decide`, `assignOwner`, `withdraw`, `provideLiveLink`, `keepWaiting`, `closeSupport`. Query: `state`.',
    ],
  });

const assignment: Build = (row) =>
  lifecycle(row, {
    workflowType: ASSIGNMENT_TYPE,
    workflowId: assignmentWorkflowId(row.orgId, row.entityId),
    args: [{ orgId: row.orgId, assignmentId: row.entityId }],
    summary: `Assignment ${row.entityId}`,
    details: [
      'One repost by one supporter: proof, watch, credits.',
      '',
      'Commands, as Update or Signal: `submitProof`, `skip`, `overrideOutcome`. Query: `state`.',
    ],
  });

/** @throws Error for a row without its date: the workflow id is made of it. */
const dailyQueue: Build = (row) => {
  const { orgId, entityKey: date } = row;
  if (date === null) throw new Error('A queue is named by its date. Give it as entityKey.');
  return lifecycle(row, {
    workflowType: DAILY_QUEUE_TYPE,
    workflowId: dailyQueueId(orgId, date),
    args: [{ orgId, date }],
    summary: `Queue of ${date}`,
    details: [
      'Drafts the queue of a date, waits for approval, publishes it, and ends when its last assignment is settled.',
      '',
      'Commands, as Update or Signal: `approve`, `regenerate`, `swapAssignment`, `dropAssignment`, `addAssignment`. Query: `state`.',
    ],
    // A date that lapsed may be asked for again.
    mayRunAgain: true,
  });
};

/** The entity's key is its type: the numbers of submissions and campaigns are tracked by one lifecycle. */
const attribution: Build = (row) => {
  const parentType: AttributionParent = row.entityKey === 'campaign' ? 'campaign' : 'submission';
  return lifecycle(row, {
    workflowType: ATTRIBUTION_TYPE,
    workflowId: attributionId(row.orgId, parentType, row.entityId),
    args: [{ orgId: row.orgId, parentType, parentId: row.entityId }],
    summary: `Numbers of ${parentType} ${row.entityId}`,
    details: ['Reads the numbers of a track each day, until seven days after its last repost.', ''],
  });
};

/** The key is the date. It may run again, and then does what is missing still. */
const accountHealth: Build = (row) => {
  const date = row.entityKey ?? '';
  return lifecycle(row, {
    workflowType: ACCOUNT_HEALTH_TYPE,
    workflowId: accountHealthId(row.orgId, date),
    args: [{ orgId: row.orgId, date }],
    summary: `Look at all accounts on ${date}`,
    details: ['Followers, tiers and connections of all accounts. Query: `state`.'],
    mayRunAgain: true,
  });
};

const BY_ENTITY: Readonly<Record<string, Build>> = {
  submission: submissionReview,
  queue: dailyQueue,
  attribution,
  assignment,
};

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

/** The queue a signal of an assignment is for; it says "look at the rows". */
const queueOf: Route = (event) => {
  const { queue_id: queueId, queue_date: date, queue_done: done } = event.data;
  if (done !== true || typeof date !== 'string') return [];
  const entityId = typeof queueId === 'string' ? queueId : event.entity_id;
  return [
    {
      lifecycle: dailyQueue({ orgId: event.org_id, entityId, entityKey: date }),
      signal: { name: 'assignmentsSettled', input: { commandId: event.id } },
    },
  ];
};

const dateOf = (event: OutboxEvent) => (typeof event.data.date === 'string' ? event.data.date : null);

/** Tells the review of a submission, by whatever event; each signal only says "look at the rows". */
const tellReview =
  (
    name: SupportSignal,
    submissionOf: (event: OutboxEvent) => string,
    input: (event: OutboxEvent) => object,
  ): Route =>
  (event) => [
    {
      lifecycle: submissionReview({
        orgId: event.org_id,
        entityId: submissionOf(event),
        entityKey: null,
      }),
      signal: { name, input: { ...input(event), commandId: event.id } },
    },
  ];

/** Tells an assignment; events that name none, such as those of a campaign's schedules, tell nobody. */
const tellAssignment =
  (
    name: 'submitProof' | 'skip' | 'scheduleReported',
    assignmentOf: (event: OutboxEvent) => unknown,
    input: (event: OutboxEvent) => object,
  ): Route =>
  (event) => {
    const entityId = assignmentOf(event);
    if (typeof entityId !== 'string') return [];
    return [
      {
        lifecycle: assignment({ orgId: event.org_id, entityId, entityKey: null }),
        signal: { name, input: { ...input(event), commandId: event.id } },
      },
    ];
  };

const itself = (event: OutboxEvent) => event.entity_id;

const both =
  (...routes: Route[]): Route =>
  (event) =>
    routes.flatMap((route) => route(event));

/** The mails an event sends; the workflow belongs to the event. */
const automationMail: Route = (event) => [
  {
    lifecycle: lifecycle(
      { orgId: event.org_id, entityId: event.entity_id, entityKey: null },
      {
        workflowType: AUTOMATION_MAIL_TYPE,
        workflowId: automationMailId(event.org_id, event.id),
        args: [{ orgId: event.org_id, eventId: event.id }],
        summary: `Mails on ${event.type}`,
        details: ['Sends the automation templates that name this event.'],
      },
    ),
  },
];

const ROUTES: Readonly<Record<string, Route>> = {
  'submission.created': own(submissionReview),
  'account_health.requested': own(accountHealth, dateOf),
  ...Object.fromEntries(AUTOMATION_MAIL_EVENTS.map((type) => [type, automationMail])),
  'queue.requested': own(dailyQueue, dateOf),
  'submission.assigned': both(
    tellReview('assignmentsPublished', itself, ({ data }) => ({
      queueDate: data.queue_date,
      firstSlotAt: data.first_slot_at,
    })),
    own(attribution, () => 'submission'),
  ),
  'submission.shifted': tellReview('supportShifted', itself, ({ data }) => ({
    supportDate: data.support_date,
    reason: data.reason,
  })),
  'assignment.published': own(assignment),
  'assignment.proof_written': tellAssignment('submitProof', itself, ({ data }) => ({
    by: data.by,
    url: data.proof_url,
  })),
  'assignment.dropped_out': tellAssignment('skip', itself, ({ data }) => ({
    by: 'system',
    reason: data.reason,
  })),
  'schedule.reported': tellAssignment(
    'scheduleReported',
    ({ data }) => data.assignment_id,
    ({ data }) => ({ status: data.status, proofUrl: data.proof_url ?? null }),
  ),
  'assignment.settled': both(
    tellReview(
      'assignmentsSettled',
      ({ data }) => String(data.submission_id),
      ({ data }) => ({ queueDate: data.queue_date }),
    ),
    queueOf,
  ),
};

/** The lifecycle a row belongs to; undefined for rows without one. */
export function lifecycleOf({ entityType, ...row }: LifecycleRow): LifecycleStart | undefined {
  return BY_ENTITY[entityType]?.(row);
}

/** The lifecycles an event starts or tells; none for an event that only informs. */
export function handoversOf(event: OutboxEvent): Handover[] {
  return ROUTES[event.type]?.(event) ?? [];
}
