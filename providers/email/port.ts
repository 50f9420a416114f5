/** One mail to one recipient. Rendered already; the provider only carries it. */
export interface OutgoingMail {
  /** Idempotency key of the provider, 1 to 256 characters, kept there for 24 h. */
  idempotencyKey: string;
  from: string;
  to: string;
  subject: string;
  html: string;
  text?: string;
  headers?: Record<string, string>;
  tags?: { name: string; value: string }[];
}

export interface EmailPort {
  /**
   * Hands a mail to the provider.
   * @returns the provider's message id (`mail_events.message_id`).
   * @throws ProviderError; RequestNotYetAllowed when the request bucket is empty.
   */
  send(mail: OutgoingMail, signal?: AbortSignal): Promise<{ messageId: string }>;
  /** Cheap health probe for /readyz and the doctor; never throws. */
  probe(): Promise<{ ok: boolean; detail: string }>;
}
