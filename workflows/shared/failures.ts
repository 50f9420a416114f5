/** All failure types an activity may throw, as one union: retry policies and callers match on them. */
export const FINAL_FAILURES = ['not_found', 'rejected_by_provider', 'too_late_to_repeat'] as const;

export type FailureType =
  | (typeof FINAL_FAILURES)[number]
  /** Worth another try: the provider is down or its answer was lost, and the call is idempotent. */
  | 'provider_unavailable';
