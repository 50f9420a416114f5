/** How a promise is judged: what was to be expected, what was seen, and everything that does not fit. */

export interface PromiseResult {
  title: string;
  expected: string;
  seen: string;
  held: boolean;
  /** One line for each thing that is not as it should be. */
  problems: string[];
}

export function judged(
  title: string,
  texts: { expected: string; seen: string },
  problems: readonly (string | false | undefined)[],
): PromiseResult {
  const found = problems.filter((problem): problem is string => typeof problem === 'string');
  return { title, ...texts, held: found.length === 0, problems: found };
}

/** `{ b: 1, a: 2 }` as `2 a, 1 b`; nothing = `none`. */
export function counted(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`);
  return parts.join(', ') || 'none';
}

/** How often each name occurs. */
export function tally(names: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** `1 review`, `2 reviews`. */
export function some(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
