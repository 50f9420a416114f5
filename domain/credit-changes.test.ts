import { describe, expect, it } from 'vitest';
import { reasonProblem } from './credit-changes.js';

describe('the reason of a credit change', () => {
  it.each([
    ['', false],
    ['because', false],
    ['sorry, wrong', false],
    ['oops … !!! ---', false],
    ['repost was removed', true],
    ['  refund  for\nMay  ', true],
    ['Entschädigung für Ausfall', true],
    ['2 lost credits', true],
  ])('%j has enough words: %s', (reason, enough) => {
    expect(reasonProblem(reason) === null).toBe(enough);
  });
});
