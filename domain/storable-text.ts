/**
 * Text that every store of ours can hold. A Postgres text takes no NUL, and jsonb no half of a surrogate pair, though
 * both are valid in JSON: written into a lifecycle they would fail its activity for ever.
 */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
const EACH_UNSTORABLE = /[\0\p{Surrogate}]/gu;

/** Whether the text has neither a NUL character nor a lone surrogate. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/**
 * The text with U+FFFD in place of each character that cannot be stored. For text that others wrote and we only show,
 * where refusing it would leave us without the whole answer; a text that is not empty stays so.
 */
export function storable(text: string): string {
  return text.replace(EACH_UNSTORABLE, '\uFFFD');
}
