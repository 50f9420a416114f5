/** Reads matrix.txt. */
import { readFileSync } from 'node:fs';
import { ACTOR_NAMES, type ActorName } from './actors.js';

/** select, insert, update, delete: see the head of matrix.txt. */
export interface Cell {
  select: string;
  insert: string;
  update: string;
  delete: string;
}

export interface MatrixLine {
  table: string;
  /** The scope word of API keys; '-' = no key ever. */
  resource: string;
  cells: Record<ActorName, Cell>;
}

export function readMatrix(): MatrixLine[] {
  const text = readFileSync(new URL('./matrix.txt', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const [head, ...rows] = lines.map((line) => line.trim().split(/\s+/));
  const wanted = ['table', 'resource', ...ACTOR_NAMES];
  if (head === undefined || head.join(' ') !== wanted.join(' ')) {
    throw new Error(`The columns of matrix.txt must be: ${wanted.join(' ')}`);
  }
  return rows.map((row) => {
    const [table, resource, ...cells] = row;
    if (table === undefined || resource === undefined || cells.length !== ACTOR_NAMES.length) {
      throw new Error(`matrix.txt: not one cell per column: ${row.join(' ')}`);
    }
    return {
      table,
      resource,
      cells: Object.fromEntries(ACTOR_NAMES.map((name, i) => [name, readCell(cells[i] ?? '')])) as Record<
        ActorName,
        Cell
      >,
    };
  });
}

function readCell(text: string): Cell {
  const match = /^([Ssp-])([Ii-])([Uup-])([Dd-])$/.exec(text);
  if (match === null) throw new Error(`matrix.txt: ${text} is no cell.`);
  const [, select = '-', insert = '-', update = '-', remove = '-'] = match;
  return { select, insert, update, delete: remove };
}
