/** Structured logs. Secrets and e-mail addresses are cut out before a line is written. */
import pino, { type DestinationStream, type Logger } from 'pino';

export type { Logger };

const REDACTED = [
  'authorization',
  '*.authorization',
  'req.headers.authorization',
  'req.headers.cookie',
  'req.headers["x-api-key"]',
  'email',
  '*.email',
  'emails',
  '*.emails',
  'recipient',
  '*.recipient',
  'recipient_email',
  '*.recipient_email',
  'password',
  '*.password',
  'secret',
  '*.secret',
  'slack_webhook',
  '*.slack_webhook',
  // A database error repeats the row it is about: `Key (email)=(…)`, `Failing row contains (…)`, the JSON it met.
  ...['err', 'error', 'temporal.error'].flatMap((at) => [`${at}.detail`, `${at}.where`]),
];

/**
 * @param name the process: `api`, `worker`, `relay` …
 * @param destination where the lines go (default: standard output)
 */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = { name, level, redact: { paths: REDACTED, censor: '[redacted]' }, base: { name } };
  return destination === undefined ? pino(options) : pino(options, destination);
}
