/** The timeline: a short line for each thing as it happens, with business time and real time. */
import { type BusinessClock, toBusiness } from '../../domain/calendar.js';

/** What a line tells: a person acts, the system acts, somebody must act, an alarm. */
const MARKS = { act: '▸', system: '·', waits: '…', alarm: '!' } as const;

export type Mark = keyof typeof MARKS;

const WIDEST = 150;
const INDENT = ' '.repeat(21);

export class Timeline {
  readonly #clock: BusinessClock;
  readonly #write: (line: string) => void;
  readonly #began: number;

  /** @param began real epoch ms from which real time is counted */
  constructor(clock: BusinessClock, write: (line: string) => void, began: number) {
    this.#clock = clock;
    this.#write = write;
    this.#began = began;
  }

  /** What comes next, and why it is shown. */
  chapter(title: string, explanation: string): void {
    this.#write('');
    this.#write(`── ${title} ──`);
    for (const line of wrapped(explanation, WIDEST - 20)) this.#write(`   ${line}`);
  }

  say(mark: Mark, text: string): void {
    const now = Date.now();
    const business = businessTime(toBusiness(this.#clock, now));
    const [first = '', ...more] = wrapped(text, WIDEST - INDENT.length);
    this.#write(`${business}  ${realTime(now - this.#began)}  ${MARKS[mark]} ${first}`);
    for (const line of more) this.#write(`${INDENT}${line}`);
  }
}

/** `Tue 13:24`, as the org reads it (UTC). */
export function businessTime(at: number): string {
  const date = new Date(at);
  const weekday = date.toLocaleDateString('en-GB', { weekday: 'short', timeZone: 'UTC' });
  return `${weekday} ${date.toISOString().slice(11, 16)}`;
}

/** `Tue 2 Dec 2025, 13:24`, as the org reads it (UTC). */
export function businessDate(at: number): string {
  const date = new Date(at);
  const day = date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });
  const weekday = date.toLocaleDateString('en-GB', { weekday: 'short', timeZone: 'UTC' });
  return `${weekday} ${day}, ${date.toISOString().slice(11, 16)}`;
}

function realTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
