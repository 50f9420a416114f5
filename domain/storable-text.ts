/**
 * Text that every store of ours can hold. A Postgres text takes no NUL, and jsonb no half of a surrogate pair, though
 * both are valid in JSON: written into a lifecycle they would fail its activity for ever.
 */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** Whether the text has neither a NUL character nor a lone surrogate. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}
