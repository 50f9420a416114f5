export interface SlackMessage {
  /** The incoming webhook of the org's settings. A secret: never logged. */
  webhookUrl: string;
  channel: string;
  text: string;
}

export interface SlackPort {
  /** @throws ProviderError. Callers never let a failure hold a lifecycle up. */
  post(message: SlackMessage, signal?: AbortSignal): Promise<void>;
}
