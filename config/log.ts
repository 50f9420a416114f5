/** Structured logs. Secrets and e-mail addresses are cut out before a line is written. */
import pino, { type Logger } from 'pino';

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
];

/** @param name the process: `api`, `worker`, `relay` … */
export function createLogger(name: string, level: string): Logger {
  return pino({ name, level, redact: { paths: REDACTED, censor: '[redacted]' }, base: { name } });
}
