/** How activities fail: business refusals end the step, provider trouble is tried again. */
import { ApplicationFailure } from '@temporalio/common';
import type { ProviderError } from '../providers/errors.js';
import type { FailureType } from '../workflows/shared/failures.js';

/** A row that must exist does not: trying again will not help. */
export function notFound(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'not_found' satisfies FailureType, message, nonRetryable: true });
}

/** Asked for before its time has come. */
export function notBegun(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'not_begun' satisfies FailureType, message, nonRetryable: true });
}

/** A call whose outcome is unknown and that is not safe to repeat any more. */
export function tooLateToRepeat(message: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'too_late_to_repeat' satisfies FailureType,
    message,
    nonRetryable: true,
  });
}

/** Classes of SQLSTATE that pass by themselves: connection, conflict, resources, locks, operator, system. */
const PASSING = /^(08|40|53|55|57|58)/u;
const SQLSTATE = /^[0-9A-Z]{5}$/u;

/**
 * Ends the tries of an activity whose statement the database refused for what it is: the same statement will be refused
 * again. @returns the error to throw; errors that pass by themselves come back as they are.
 */
export function unlessRefused(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const { code, message } = error;
  if (typeof code !== 'string' || !SQLSTATE.test(code) || PASSING.test(code)) return error;
  return ApplicationFailure.create({
    type: 'refused_by_database' satisfies FailureType,
    message: `${message} (${code})`,
    nonRetryable: true,
    cause: error,
  });
}

/** How long to leave a provider alone whose credentials or plan an operator must mend first. */
const OPERATOR_RETRY = '5 minutes';

/**
 * The failure an activity throws for a provider's error: final when the same request can never succeed, retried when
 * the provider or an operator can mend it.
 */
export function providerFailure(error: ProviderError): ApplicationFailure {
  switch (error.kind) {
    case 'rejected':
      // A success we cannot read is no refusal but, most likely, the page of a proxy in between. All our calls may be
      // repeated: they read, or carry an idempotency key.
      return isSuccess(error.details.status)
        ? fail('provider_unavailable', error, false)
        : fail('rejected_by_provider', error, true);
    case 'not_found':
      return fail('not_found', error, true);
    case 'unauthorized':
      return ApplicationFailure.create({
        type: 'provider_unavailable' satisfies FailureType,
        message: error.message,
        nextRetryDelay: OPERATOR_RETRY,
      });
    case 'rate_limited':
      return ApplicationFailure.create({
        type: 'provider_unavailable' satisfies FailureType,
        message: error.message,
        ...(error.details.retryAfterMs !== undefined && { nextRetryDelay: error.details.retryAfterMs }),
      });
    case 'unavailable':
    case 'outcome_unknown':
      return fail('provider_unavailable', error, false);
  }
}

function isSuccess(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

function fail(type: FailureType, error: ProviderError, nonRetryable: boolean): ApplicationFailure {
  return ApplicationFailure.create({ type, message: error.message, nonRetryable });
}
