/** Commands of unknown origin: read whole, or refused with a reason, never thrown. */
import { describe, expect, it } from 'vitest';
import { readSubmissionCommand } from './submission-commands.js';

describe('readSubmissionCommand', () => {
  it('takes emoji and other scripts as they are', () => {
    const input = { by: 'user', action: 'flag', reason: 'Zu leise 🔈 – ещё раз' };
    expect(readSubmissionCommand('decide', input, 'fallback')).toEqual({
      ok: true,
      command: { ...input, name: 'decide', commandId: 'fallback' },
    });
  });

  it('refuses text the database cannot hold, which a signal may carry as well', () => {
    const inputs = [
      ['decide', { by: 'user', action: 'flag', reason: 'half \ud800 of a pair' }],
      ['decide', { by: 'user', action: 'flag', reason: 'NUL \0' }],
      ['decide', { by: 'user', action: 'approve', family: '\udfff' }],
      ['decide', { by: 'us\0er', action: 'approve' }],
      ['withdraw', { by: 'user', commandId: '\ud800' }],
      ['provideLiveLink', { by: 'user', url: 'https://soundcloud.com/a/\ud800' }],
    ] as const;
    for (const [name, input] of inputs) {
      expect(readSubmissionCommand(name, input, 'fallback')).toMatchObject({
        ok: false,
        code: 'malformed_command',
      });
    }
  });
});
