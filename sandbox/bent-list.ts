/** Lists that lie on order, the same way in every system that has lists. */
import type { Response } from 'express';
import type { FaultBox } from './faults.js';

/**
 * Bends a list by the faults that strike this request: empty, rows left out, rows twice.
 * @param nameOf what the `urns` of a fault call a row.
 */
export function bentList<T>(
  rows: readonly T[],
  nameOf: (row: T) => string,
  faults: FaultBox,
  res: Response,
): T[] {
  if (faults.find(res, 'empty')) return [];
  const missing = faults.find(res, 'missing');
  const left = rows.filter((row, index) => {
    if (!missing) return true;
    return missing.urns ? !missing.urns.includes(nameOf(row)) : index % 2 === 0;
  });
  return faults.find(res, 'duplicate') ? left.flatMap((row) => [row, row]) : left;
}
