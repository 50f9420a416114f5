/** What never reaches a log line, wherever an error or an object carries it. */
import { describe, expect, it } from 'vitest';
import { createLogger } from './log.js';

describe('a log line', () => {
  it('repeats nothing of the row a database error is about', () => {
    const lines: string[] = [];
    const log = createLogger('worker', 'info', { write: (line) => void lines.push(line) });
    const error = () =>
      Object.assign(new Error('duplicate key value violates unique constraint "members_email"'), {
        code: '23505',
        detail: 'Key (email)=(somebody@network.test) already exists.',
        where: 'JSON data, line 1: {"email": "somebody@network.test"',
        constraint: 'members_email',
      });
    log.error({ err: error() }, 'the request failed');
    log.warn({ error: error() }, 'again');
    log.warn({ temporal: { activityType: 'sendEmail', error: error() } }, 'Activity failed');
    log.info({ email: 'somebody@network.test', row: { emails: ['somebody@network.test'] } }, 'read');
    expect(lines).toHaveLength(4);
    expect(lines.join('')).not.toContain('somebody');
    expect(lines.slice(0, 3).every((line) => line.includes('members_email'))).toBe(true);
  });
});
