/**
 * The one registry of everything the API can refuse (RFC 9457, api.md "errors"): code → HTTP status, title, what to do.
 * Codes are permanent: callers branch on them. docs/problems.md and the OpenAPI document are generated from here.
 */

import { ASSIGNMENT_REFUSALS, type AssignmentRefusalCode } from '../domain/assignment-commands.js';
import { QUEUE_REFUSALS, type QueueRefusalCode } from '../domain/daily-queue-commands.js';
import { SCHEDULE_REFUSALS, type ScheduleRefusalCode } from '../domain/repost-schedule-commands.js';
import { SUBMISSION_REFUSALS, type SubmissionRefusalCode } from '../domain/submission-commands.js';
import type { TrackUrlCode } from '../domain/track-url.js';

export interface ProblemKind {
  status: number;
  title: string;
  /** The caller's next step. */
  help: string;
}

const requestProblems = {
  malformed_json: [400, 'The body is not JSON', 'Send one JSON value, encoded as UTF-8.'],
  malformed_url: [400, 'The address is not a valid URL', 'Percent-encode the path and the query.'],
  invalid_request: [400, 'The request does not have the documented shape', 'Correct what `errors` names.'],
  invalid_cursor: [
    400,
    'The cursor is not one of ours',
    'Take `next_cursor` of the previous page with the same filters and sort, or leave it out.',
  ],
  idempotency_key_required: [
    400,
    'An Idempotency-Key is required',
    'Send a header Idempotency-Key with a value of your own that is new for each creation or command (1-255 characters), and the same one when you repeat it.',
  ],
  org_required: [
    400,
    'The org is not clear',
    'You belong to several orgs: send X-Org-Id. GET /v1/orgs lists them.',
  ],
  unauthenticated: [401, 'Sign in first', 'Send Authorization: Bearer with an access token or an API key.'],
  invalid_token: [
    401,
    'The access token is not accepted',
    'Sign in again. Supabase anon and service keys are not access tokens of a person.',
  ],
  token_expired: [401, 'The access token has expired', 'Refresh it or sign in again.'],
  invalid_api_key: [
    401,
    'The API key is not accepted',
    'It is unknown, revoked or expired. Ask an admin of the org for a new one.',
  ],
  invalid_signature: [
    401,
    'The signature does not fit',
    'Sign id, timestamp and raw body with the secret of this installation (Standard Webhooks); the timestamp may be 300 s off at most.',
  ],
  no_membership: [
    403,
    'You are not a member of this org',
    'Ask an admin of the org to add you, or send the X-Org-Id of an org of yours.',
  ],
  forbidden: [403, 'Your role does not allow this', 'Ask an admin or a moderator of the org.'],
  second_person_required: [
    403,
    'A second person decides this',
    'You asked for it yourself: another admin or moderator approves or rejects it.',
  ],
  requester_only: [403, 'Only whoever asked for it takes it back', 'Reject it with a note instead.'],
  scope_missing: [
    403,
    'The API key lacks a scope',
    'Ask an admin for a key with the scope named in `detail`.',
  ],
  not_found: [404, 'There is no such thing', 'Check the id, and that it belongs to the org you work in.'],
  route_not_found: [404, 'There is no such resource', 'GET /openapi.json lists all of them.'],
  method_not_allowed: [
    405,
    'This resource does not take that method',
    'The header Allow lists what it takes.',
  ],
  precondition_failed: [
    412,
    'Somebody else changed it since you read it',
    'Read it again, apply your change to what is there now, and send its new ETag as If-Match.',
  ],
  payload_too_large: [413, 'The body is too large', 'A body may have at most 262,144 bytes.'],
  unsupported_media_type: [
    415,
    'The body is not of a type this resource takes',
    'Send Content-Type: application/json in UTF-8, without Content-Encoding.',
  ],
  precondition_required: [
    428,
    'If-Match is required',
    'Read the resource and send its ETag as If-Match, so that no change of somebody else is lost.',
  ],
  rate_limited: [
    429,
    'Too many requests',
    'Wait for the seconds in Retry-After. The RateLimit header shows the budget.',
  ],
} as const satisfies Record<string, readonly [number, string, string]>;

const stateProblems = {
  idempotency_in_flight: [
    409,
    'The same request is being worked on',
    'Repeat it with the same Idempotency-Key after the seconds in Retry-After.',
  ],
  already_exists: [409, 'It exists already', 'Use or change the one that is there.'],
  automation_disabled: [
    409,
    'The automation is switched off',
    'An admin enables it: PATCH /v1/automations/{name} with status enabled.',
  ],
  in_use: [409, 'Something else still refers to it', 'Remove what refers to it first, or set it inactive.'],
  duplicate_track: [
    409,
    'This track was submitted lately',
    'The same member submitted this track within 30 days; `submission_id` is the older submission.',
  ],
  credit_change_decided: [
    409,
    'The credit change is decided already',
    'GET it to see how; ask for a new one to correct it.',
  ],
  assignment_unpublished: [
    409,
    'The queue of this assignment is not published',
    'It takes commands once its queue is published; until then change the draft of the queue.',
  ],
  ops_task_waited_for: [
    409,
    'A workflow waits for the answer to this task',
    'Send one of the requests under `actions` of the task; it closes the task.',
  ],
  ops_task_closed: [409, 'The task is closed already', 'GET it to see how it was closed.'],
  snapshot_measured: [
    409,
    'The numbers of that day were measured',
    'Measured numbers are never replaced by hand. GET the attribution to see them.',
  ],
  no_attribution: [
    422,
    'The numbers of this track are not tracked',
    'They are from the moment a queue with it is published; check parent_type and parent_id.',
  ],
  idempotency_mismatch: [
    422,
    'This Idempotency-Key belongs to another request',
    'Use a new key for a new request; a repeated one must be the same, byte by byte in meaning.',
  ],
  unknown_reference: [422, 'Something the request names does not exist', 'Check the ids in the request.'],
  rule_violated: [422, 'The request breaks a rule', 'Correct what `detail` names.'],
  invalid_settings: [422, 'These settings contradict each other', 'Correct what `errors` names.'],
  invalid_template: [422, 'The mail template cannot be sent as it is', 'Correct what `errors` names.'],
  no_member: [
    422,
    'There is no member for you',
    'Your sign-in is not linked to a member of this org. Ops name one with `member_id`.',
  ],
  no_credits: [
    422,
    'No credits',
    'A submission needs a balance of at least 1. Credits come with the monthly grant and with reposts.',
  ],
  monthly_limit_reached: [
    422,
    "The month's submissions are used up",
    'Submit again next month, or withdraw a submission that waits for its decision.',
  ],
  month_not_begun: [422, 'The month has not begun', 'Name the current month of the org or an earlier one.'],
  too_many_emails: [422, 'Too many e-mail addresses', 'A member has at most 5.'],
  insufficient_credits: [
    422,
    'Not enough credits',
    'Earn or grant credits first; `balance` is what can be spent.',
  ],
  above_headroom: [
    422,
    'The wallet cannot hold that many credits',
    'Give at most `headroom`: cap − balance − held.',
  ],
} as const satisfies Record<string, readonly [number, string, string]>;

const trackTitles: Record<TrackUrlCode, readonly [string, string]> = {
  track_url_missing: ['There is no track URL', 'Send the SoundCloud address of the track.'],
  track_url_placeholder: [
    'The track URL is a placeholder',
    'Submit the track once it has an address on SoundCloud.',
  ],
  track_url_other_host: ['This is not a SoundCloud address', 'Send https://soundcloud.com/<artist>/<track>.'],
  track_url_profile: ['This is a profile, not a track', 'Open the track on SoundCloud and copy its address.'],
  track_url_not_a_track: [
    'This is a page of SoundCloud, but no track',
    'Open the track and copy its address.',
  ],
  track_url_malformed: [
    'The track URL is not readable',
    'Copy the address of the track again from the browser.',
  ],
  track_url_too_long: ['The track URL is too long', 'Send only the address of the track.'],
};

const commandTitles: Record<SubmissionRefusalCode, readonly [string, string]> = {
  malformed_command: ['The command cannot be read', 'Correct what `detail` names.'],
  submission_closed: [
    'The submission is closed',
    'It takes no further commands; GET it to see how it ended.',
  ],
  already_decided: ['The submission is decided already', 'GET it to see the decision.'],
  waiting_for_live_link: ['The member owes a live link', 'Wait for the link, provide it, or reject.'],
  not_waiting_for_live_link: ['No live link was asked for', 'Nothing needs to be done.'],
  queue_published: ['The track is in a published queue', 'It can no longer be withdrawn.'],
  not_approved: ['The submission waits for no queue', 'Decide it first; GET it to see what it waits for.'],
  not_asked: ['Nobody asked', 'It goes on waiting by itself.'],
  assignments_open: ['Assignments are open', 'Close the support when they are settled.'],
  reason_too_short: [
    'The reason is too short',
    'A rejection needs at least 10 words, a manual credit change at least 3; the member reads them.',
  ],
  reason_required: ['A reason is required', 'Send `reason`.'],
  family_required: ['The genre family is unknown', 'Send `family` with the approval.'],
  family_unknown: ['There is no such genre family', 'GET /v1/genre-families lists the active ones.'],
  owner_not_ops: ['The owner must be ops', 'Name an admin or a moderator of this org.'],
  live_link_not_a_track: ['The live link is no track', 'Send https://soundcloud.com/<artist>/<track>.'],
};

const queueTitles: Record<Exclude<QueueRefusalCode, 'malformed_command'>, readonly [string, string]> = {
  queue_closed: [
    'The queue is closed',
    'It takes no further commands; GET it to see how it ended. One that lapsed may be asked for again until the day is too late for it.',
  ],
  queue_already_approved: ['The queue is approved already', '`detail` says by whom. Its draft is fixed.'],
  queue_changed: [
    'There is a newer draft than the one you saw',
    'GET the queue, look at it, and send its new ETag as If-Match.',
  ],
  too_late_to_generate: [
    'It is too late to generate a queue for this date',
    'The submissions are in the next queue.',
  ],
  too_late_to_publish: [
    'No slot of this date is left',
    'Let the queue lapse; its submissions move to the next one.',
  ],
  generation_failed: [
    'The draft could not be generated',
    'The draft before stands. Look at the automation `daily-queue`, and try again.',
  ],
  assignment_not_in_queue: [
    'There is no such assignment in the draft',
    'GET the queue for its newest draft.',
  ],
  submission_not_due: [
    'The submission asks for nothing on this date',
    'Only approved, open submissions that are due and not served yet have a place in a queue.',
  ],
  supporter_unknown: ['There is no such supporter', 'Name a member of this org with a wallet.'],
  already_in_queue: ['This pair is in the queue already', 'Choose another supporter.'],
  pair_excluded: [
    'The rules exclude this pair',
    '`detail` names the rules. Choose another supporter, or send `reason` to insist.',
  ],
  pair_impossible: [
    'This pair cannot be in the queue',
    '`detail` says what is missing: credits, a free slot or an account. Choose another supporter.',
  ],
};

const queueProblems = {
  queue_exists: [
    409,
    'There is a queue of this date already',
    'GET it. Regenerate its draft, or approve it.',
  ],
  queue_date_out_of_range: [
    422,
    'No queue can be asked for on this date',
    'Ask for today or one of the next 7 days.',
  ],
  ...withStatus(
    queueTitles,
    (code) => ({ conflict: 409, rule: 422, precondition: 412 })[QUEUE_REFUSALS[code]],
  ),
} as const;

const assignmentTitles: Record<
  Exclude<AssignmentRefusalCode, keyof typeof commandTitles>,
  readonly [string, string]
> = {
  assignment_closed: [
    'The assignment is settled',
    'Its outcome stands. Credits are corrected by a manual credit change.',
  ],
  assignment_completed: ['The assignment is completed', 'The repost is watched; nothing more is needed.'],
  proof_too_late: ['The deadline is over', 'The outcome is being decided; write to the team.'],
  proof_url_unrelated: [
    'The address has nothing to do with this repost',
    'Send the address of the track, of your profile, or of your repost on SoundCloud.',
  ],
};

const scheduleTitles: Record<Exclude<ScheduleRefusalCode, 'malformed_command'>, readonly [string, string]> = {
  schedule_closed: ['The schedule is closed', 'It takes no further commands; GET it to see how it ended.'],
  schedule_being_cancelled: [
    'The schedule is being cancelled already',
    'Take it out of the calendar of Influence Planner, then confirm-cancelled.',
  ],
  schedule_not_being_cancelled: ['Nobody asked to cancel the schedule', 'Use cancel first.'],
  schedule_not_unknown: ['Nothing is unknown about the schedule', 'GET it to see what it waits for.'],
  schedule_not_sent: ['The schedule was not sent yet', 'Nothing can have become of it.'],
};

const trackProblems = withStatus(trackTitles, () => 422);
const commandProblems = withStatus(commandTitles, (code) =>
  SUBMISSION_REFUSALS[code] === 'conflict' ? 409 : 422,
);

const assignmentProblems = withStatus(assignmentTitles, (code) =>
  ASSIGNMENT_REFUSALS[code] === 'conflict' ? 409 : 422,
);
const scheduleProblems = withStatus(scheduleTitles, (code) =>
  (SCHEDULE_REFUSALS[code] as 'conflict' | 'rule') === 'conflict' ? 409 : 422,
);

const serverProblems = {
  internal: [500, 'Something went wrong on our side', 'Report the `request_id`.'],
  database_unavailable: [
    503,
    'The database is away',
    'Nothing was changed. Repeat after the seconds in Retry-After.',
  ],
  database_busy: [
    503,
    'The database is too busy for this',
    'Nothing was changed. Repeat after the seconds in Retry-After.',
  ],
  temporal_unavailable: [
    503,
    'Temporal is away',
    'The command may have been taken or not. Repeat it with the same Idempotency-Key after the seconds in Retry-After: it is applied once.',
  ],
  workflow_unavailable: [
    503,
    'The workflow does not run at this moment',
    'It is started again by itself; the command may have been taken or not. Repeat it with the same Idempotency-Key after the seconds in Retry-After: it is applied once.',
  ],
  webhooks_not_configured: [
    503,
    'Webhooks of Influence Planner are not taken here',
    'The operator sets INFLUENCE_PLANNER_WEBHOOK_SECRET.',
  ],
  sign_in_unavailable: [
    503,
    'Access tokens cannot be checked now',
    'The signing keys are out of reach. Repeat after the seconds in Retry-After.',
  ],
} as const satisfies Record<string, readonly [number, string, string]>;

const registry = {
  ...requestProblems,
  ...stateProblems,
  ...trackProblems,
  ...commandProblems,
  ...queueProblems,
  ...assignmentProblems,
  ...scheduleProblems,
  ...serverProblems,
};

function withStatus<C extends string>(
  titles: Record<C, readonly [string, string]>,
  statusOf: (code: C) => number,
): Record<C, readonly [number, string, string]> {
  const entries = Object.entries<readonly [string, string]>(titles);
  return Object.fromEntries(
    entries.map(([code, [title, help]]) => [code, [statusOf(code as C), title, help]]),
  ) as unknown as Record<C, readonly [number, string, string]>;
}

export type ProblemCode = keyof typeof registry;

/** All codes in the order of the registry. */
export const PROBLEM_CODES = Object.keys(registry) as [ProblemCode, ...ProblemCode[]];

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(registry, code);
}

export function problemKind(code: ProblemCode): ProblemKind {
  const [status, title, help] = registry[code];
  return { status, title, help };
}

/** One fault in the request. */
export interface FieldFault {
  in: 'body' | 'query' | 'path' | 'header';
  /** JSON pointer into the body, or the name of the parameter or header. */
  pointer: string;
  detail: string;
}

export interface ProblemDetails {
  detail?: string;
  errors?: FieldFault[];
  /** Further members of the problem document, for example the id of the older submission. */
  extensions?: Record<string, unknown>;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** Thrown anywhere below a route; becomes the problem+json answer. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    const kind = problemKind(code);
    super(details.detail ?? kind.title, { cause: details.cause });
    this.name = 'Problem';
    this.code = code;
    this.status = kind.status;
    this.details = details;
  }

  /** The problem+json document. @param requestId shown so that the caller can report it. */
  toDocument(requestId: string): Record<string, unknown> {
    const kind = problemKind(this.code);
    return {
      ...this.details.extensions,
      type: `/problems#${this.code}`,
      title: kind.title,
      status: kind.status,
      code: this.code,
      detail: this.details.detail ?? kind.help,
      request_id: requestId,
      ...(this.details.errors && { errors: this.details.errors }),
    };
  }
}

/** Headers every problem of that status carries. */
export function problemHeaders(problem: Problem): Record<string, string> {
  const retry: Record<string, string> =
    problem.status === 503
      ? { 'Retry-After': '5' }
      : problem.code === 'idempotency_in_flight'
        ? { 'Retry-After': '1' }
        : {};
  const challenge: Record<string, string> = problem.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  return { ...retry, ...challenge, ...problem.details.headers };
}
