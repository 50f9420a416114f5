/** Compares what the mailbox got with what was written. */

/**
 * Which mail of ours arrived how often, told apart as the recipient does: by address and subject. Of several alike each
 * row gets one, the last one all that are too many.
 */
export function arrivals(
  written: readonly { id: string; recipient_email: string; subject: string | null }[],
  inbox: readonly { to: readonly string[]; subject: string }[],
): { arrivedByLog: Map<string, number>; strayMails: number } {
  const waiting = new Map<string, number>();
  for (const { to, subject } of inbox) {
    const key = `${to.join()} ${subject}`;
    waiting.set(key, (waiting.get(key) ?? 0) + 1);
  }
  const arrivedByLog = new Map<string, number>();
  const lastOfKey = new Map<string, string>();
  for (const { id, recipient_email: to, subject } of written) {
    const key = `${to} ${subject}`;
    const left = waiting.get(key) ?? 0;
    arrivedByLog.set(id, Math.min(1, left));
    waiting.set(key, Math.max(0, left - 1));
    lastOfKey.set(key, id);
  }
  for (const [key, id] of lastOfKey) {
    arrivedByLog.set(id, (arrivedByLog.get(id) ?? 0) + (waiting.get(key) ?? 0));
    waiting.delete(key);
  }
  const strayMails = [...waiting.values()].reduce((sum, count) => sum + count, 0);
  return { arrivedByLog, strayMails };
}
