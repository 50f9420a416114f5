/** Words of a text: runs between white space with at least one letter or digit. A missing text has none. */
export function wordsIn(text: string | undefined): number {
  return text === undefined ? 0 : text.split(/\s+/u).filter((word) => /\p{L}|\p{N}/u.test(word)).length;
}
