/**
 * Activity proxies, grouped by how a failed call may be repeated. Made inside a workflow, because the task queues
 * carry the prefix of the queue the workflow runs on.
 */
import { ActivityCancellationType, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../../activities/index.js';
import { FINAL_FAILURES } from './failures.js';

const final = [...FINAL_FAILURES];

/**
 * One transaction each, idempotent by step id: repeated for as long as the database is away, since nothing of a
 * lifecycle may be lost. Cancellation waits for the running transaction, so its outcome is known.
 */
export function databaseActivities() {
  return proxyActivities<Activities>({
    startToCloseTimeout: '30 seconds',
    retry: {
      initialInterval: '500 milliseconds',
      backoffCoefficient: 2,
      maximumInterval: '15 seconds',
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/**
 * The target proposal reads the whole network and may take a while; it advises and must not hold a review up, so it is
 * given up after some minutes and built later. It heartbeats, because commands wait for it: one that died with its
 * worker is tried again soon.
 */
export function proposalActivities() {
  return proxyActivities<Pick<Activities, 'buildSubmissionProposal'>>({
    startToCloseTimeout: '2 minutes',
    scheduleToCloseTimeout: '3 minutes',
    heartbeatTimeout: '15 seconds',
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '30 seconds',
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/**
 * Pages of the monthly grant: one transaction each, many a call; a call that died with its worker goes on at the cursor
 * of its last heartbeat. Tried for the minutes that a restart of the database takes; what the database refuses is not
 * tried again here. Then it is reported, and tried again by the workflow.
 */
export function grantActivities() {
  return proxyActivities<Pick<Activities, 'grantPages'>>({
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '10 seconds',
    retry: {
      initialInterval: '500 milliseconds',
      backoffCoefficient: 2,
      maximumInterval: '15 seconds',
      maximumAttempts: 30,
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

const QUEUE_STEP = {
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '20 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

const QUEUE_STEP_RETRY = {
  initialInterval: '500 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '15 seconds',
  nonRetryableErrorTypes: final,
} as const;

/**
 * The steps of a daily queue that go over the whole network: minutes at most, idempotent by step id, repeated for as
 * long as the database is away. They heartbeat, because ops wait for them: one that died with its worker is tried again
 * soon.
 */
export function queueActivities() {
  return proxyActivities<Pick<Activities, 'changeQueue' | 'lapseQueue'>>({
    ...QUEUE_STEP,
    retry: QUEUE_STEP_RETRY,
  });
}

/**
 * Publishing. Tried for the minutes that a restart of the database takes, then given up, so that what refuses it shows
 * in the inbox and the automation's health; the workflow tries again soon, because slots pass.
 */
export function publishingActivities() {
  return proxyActivities<Pick<Activities, 'publishQueue'>>({
    ...QUEUE_STEP,
    retry: { ...QUEUE_STEP_RETRY, maximumAttempts: 12 },
  });
}

/**
 * Generating a draft. Given up after some tries, so that a defect of the facts or the generator shows in the
 * automation's health; the workflow tries again later.
 */
export function generationActivities() {
  return proxyActivities<Pick<Activities, 'generateQueue'>>({
    ...QUEUE_STEP,
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 3,
      maximumInterval: '1 minute',
      maximumAttempts: 6,
      nonRetryableErrorTypes: final,
    },
  });
}

/**
 * Reads from SoundCloud: harmless to repeat, but the lifecycle must learn soon that the provider is down (it pauses the
 * SLA), so only a few tries; the workflow comes back on a durable timer. No limit to the time until a worker takes the
 * call, and heartbeats: a worker that is missing or dies says nothing of SoundCloud.
 */
export function soundCloudActivities() {
  return proxyActivities<Pick<Activities, 'describeTrack'>>({
    taskQueue: `${workflowInfo().taskQueue}-soundcloud`,
    startToCloseTimeout: '90 seconds',
    heartbeatTimeout: '15 seconds',
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumAttempts: 3,
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/**
 * The numbers of a day for a whole org: as {@link soundCloudActivities}, with time for many requests.
 */
export function captureActivities() {
  return proxyActivities<Pick<Activities, 'captureSnapshots'>>({
    taskQueue: `${workflowInfo().taskQueue}-soundcloud`,
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: '15 seconds',
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumAttempts: 3,
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/**
 * Looks for a repost: harmless to repeat, but made once, because the lifecycle counts the looks that SoundCloud does not
 * answer (the third in a row stops the supporter's clock) and makes them again on durable timers. Heartbeats as above.
 */
export function proofActivities() {
  return proxyActivities<Pick<Activities, 'lookForRepost' | 'expandProofLink'>>({
    taskQueue: `${workflowInfo().taskQueue}-soundcloud`,
    startToCloseTimeout: '90 seconds',
    heartbeatTimeout: '15 seconds',
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/**
 * Pages of the daily look at accounts: many a call, each written before the next is asked for. A provider that is away
 * comes back as an answer, so what fails here is the database or the worker: repeated for as long as that lasts, from
 * the page of the last heartbeat.
 */
const sweep = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '15 seconds',
    nonRetryableErrorTypes: final,
  },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
} as const;

export function profileSweepActivities() {
  return proxyActivities<Pick<Activities, 'sweepProfiles'>>({
    ...sweep,
    taskQueue: `${workflowInfo().taskQueue}-soundcloud`,
  });
}

export function plannerSweepActivities() {
  return proxyActivities<Pick<Activities, 'sweepPlannerMembers'>>({
    ...sweep,
    taskQueue: `${workflowInfo().taskQueue}-influence-planner`,
  });
}

/**
 * Mails carry an idempotency key that the provider keeps for 24 h: repeated for 23 h, never longer, because a later
 * repeat could reach the recipient twice. Cancelled only to continue as new; the next run sends the same key.
 */
export function emailActivities() {
  return proxyActivities<Pick<Activities, 'deliverMail'>>({
    taskQueue: `${workflowInfo().taskQueue}-email`,
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '23 hours',
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '5 minutes',
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/** A Slack message is a courtesy: a few tries, and its failure never holds a lifecycle up. */
export function slackActivities() {
  return proxyActivities<Pick<Activities, 'postToSlack'>>({
    taskQueue: `${workflowInfo().taskQueue}-webhooks`,
    startToCloseTimeout: '20 seconds',
    scheduleToCloseTimeout: '5 minutes',
    retry: {
      initialInterval: '2 seconds',
      backoffCoefficient: 3,
      maximumAttempts: 4,
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

/**
 * Creates a schedule in Influence Planner, which has no idempotency key: tried once and never again, whatever becomes of
 * it. A failure says only that nobody knows. No limit to the time until a worker takes the call: one that was not taken
 * was not made.
 */
export function plannerActivities() {
  return proxyActivities<Pick<Activities, 'createPlannerSchedule'>>({
    taskQueue: `${workflowInfo().taskQueue}-influence-planner`,
    startToCloseTimeout: '60 seconds',
    heartbeatTimeout: '15 seconds',
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/** Looks for a scheduled repost: harmless to repeat, and looked for again later anyway. Heartbeats as above. */
export function scheduleLookActivities() {
  return proxyActivities<Pick<Activities, 'lookForScheduledRepost'>>({
    taskQueue: `${workflowInfo().taskQueue}-soundcloud`,
    startToCloseTimeout: '60 seconds',
    heartbeatTimeout: '15 seconds',
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumAttempts: 2,
      nonRetryableErrorTypes: final,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}
