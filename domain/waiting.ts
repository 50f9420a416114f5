/** What a lifecycle waits for, in the words that inbox, metrics, Temporal UI and doctor show. Times are business ms. */
export interface Wait {
  stage: string;
  waitingOn: 'ops' | 'member' | 'provider' | 'queue' | 'supporter' | 'client' | 'time';
  /** Who can move it, as a sentence part: "an admin or moderator". */
  whoCanAct: string;
  /** What they do, naming the command. */
  howToAct: string;
  since: number;
  dueAt: number | null;
  paused: boolean;
  /** What is left of a paused timer. */
  remainingMs: number | null;
  breached: boolean;
}
