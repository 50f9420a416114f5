import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isStorable, storable } from './storable-text.js';

it('replaces NUL and halves of surrogate pairs, one for one, and nothing else', () => {
  expect(storable('a\0b')).toBe('a\uFFFDb');
  expect(storable('half \uD83D of \uDFB5')).toBe('half \uFFFD of \uFFFD');
  expect(storable('whole 🎵, é, \n')).toBe('whole 🎵, é, \n');
});

it('makes any text storable, keeps its length, and keeps what was storable', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ max: 0xff_ff }).map((u) => String.fromCharCode(u)) }),
      (given) => {
        const kept = storable(given);
        expect(isStorable(kept)).toBe(true);
        expect(kept).toHaveLength(given.length);
        if (isStorable(given)) expect(kept).toBe(given);
      },
    ),
  );
});
