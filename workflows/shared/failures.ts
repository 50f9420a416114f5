import { type ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

/** Longer texts are cut: they are for a line of a page. */
const LONGEST_REASON = 300;

/** What a failed activity says went wrong, in one line. */
export function reasonOf({ cause }: ActivityFailure): string {
  const message =
    cause instanceof TimeoutFailure ? 'no worker finished it in time' : (cause?.message ?? 'unknown');
  const line = message.replaceAll(/\s+/g, ' ').trim();
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line;
}

/** All failure types an activity may throw, as one union: retry policies and callers match on them. */
export const FINAL_FAILURES = [
  'not_found',
  'rejected_by_provider',
  'too_late_to_repeat',
  'not_begun',
  'refused_by_database',
] as const;

export type FailureType =
  | (typeof FINAL_FAILURES)[number]
  /** Worth another try: the provider is down or its answer was lost, and the call is idempotent. */
  | 'provider_unavailable';

/**
 * Whether a failed call to a provider says that the provider does not answer. A worker that died while it called, or a
 * database that was away, says nothing of it: the call is to be made again.
 */
export function saysProviderIsAway({ cause }: ActivityFailure): boolean {
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'START_TO_CLOSE';
  if (!(cause instanceof ApplicationFailure)) return false;
  const { type } = cause;
  return (
    type === ('provider_unavailable' satisfies FailureType) || FINAL_FAILURES.some((final) => final === type)
  );
}
