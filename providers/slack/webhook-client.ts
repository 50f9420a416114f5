/** Messages to a Slack channel through an incoming webhook of the org's settings. */
import type { Dispatcher } from 'undici';
import { SLACK_ORIGINS } from '../../domain/settings-validation.js';
import { failureOfAnswer, providerFailure } from '../http/failures.js';
import { createGuardedFetch, timeoutsWithin } from '../http/guarded-fetch.js';
import type { SlackMessage, SlackPort } from './port.js';

export interface SlackClientOptions {
  /**
   * Origins a webhook may have, besides Slack's own. The URL comes from an org's settings, so without this list an
   * admin could make the worker post into its private network.
   */
  extraOrigins?: readonly string[];
  fetchDispatcher?: Dispatcher;
  /** Whole time of one HTTP request, real ms (default 10,000). */
  timeoutMs?: number;
}

const OPERATION = 'post a message';

export function createSlackClient(options: SlackClientOptions = {}): SlackPort {
  const origins = new Set([
    ...SLACK_ORIGINS,
    ...(options.extraOrigins ?? []).map((url) => new URL(url).origin),
  ]);
  const fetch = createGuardedFetch({
    provider: 'slack',
    timeouts: timeoutsWithin(options.timeoutMs ?? 10_000),
    maxAnswerBytes: 16_384,
    dispatcher: options.fetchDispatcher,
  });

  return {
    async post(message: SlackMessage, signal?: AbortSignal): Promise<void> {
      const url = URL.canParse(message.webhookUrl) ? new URL(message.webhookUrl) : null;
      if (url === null || !origins.has(url.origin)) {
        throw providerFailure(
          'slack',
          'rejected',
          OPERATION,
          'needs a webhook URL that starts with https://hooks.slack.com',
        );
      }
      const answer = await fetch({
        operation: OPERATION,
        url,
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ text: message.text, ...(message.channel && { channel: message.channel }) }),
        signal,
      });
      if (answer.status >= 200 && answer.status < 300) return;
      // Slack's body is one word such as no_service or channel_is_archived; anything else is not passed on.
      const code = /^[a-z_]{1,40}$/.test(answer.text.trim()) ? answer.text.trim() : undefined;
      throw failureOfAnswer('slack', OPERATION, answer, code);
    },
  };
}
