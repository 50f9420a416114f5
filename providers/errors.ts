/** What can go wrong at a provider, in the only terms the callers need. */
export type ProviderFailureKind =
  /** 429 or a quota window: nothing happened, ask again after `retryAfterMs`. */
  | 'rate_limited'
  /** 5xx or a refused connection: nothing is known to have happened. */
  | 'unavailable'
  /** A timeout or a connection lost after the request was sent: the outcome is unknown. */
  | 'outcome_unknown'
  /** 404 and its like. */
  | 'not_found'
  /** 401, 403: credentials or plan; an operator must act. */
  | 'unauthorized'
  /** Any other 4xx or an answer we cannot read: sending the same again will not help. */
  | 'rejected';

/** Thrown by every provider client. The message names the next step and never holds a secret or an e-mail address. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  constructor(
    readonly provider: 'soundcloud' | 'email' | 'slack' | 'influence-planner',
    readonly kind: ProviderFailureKind,
    message: string,
    readonly details: { status?: number; code?: string; retryAfterMs?: number } = {},
  ) {
    super(message);
  }
}
