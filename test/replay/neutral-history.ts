/** A recorded history without traces of the machine that recorded it. */

/** What stands instead of process ids, host names and the random names of a run's queues. */
export const NEUTRAL = 'recorded';

/** @param history as the SDK writes it as JSON  @param taskQueue prefix of the run's task queues */
export function neutralHistory(history: unknown, taskQueue: string): unknown {
  return neutral(history);

  function neutral(value: unknown): unknown {
    if (typeof value === 'string') return value.replaceAll(taskQueue, 'artist-spark');
    if (Array.isArray(value)) return value.map(neutral);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, field(key, inner)]));
  }

  function field(key: string, value: unknown): unknown {
    if (key === 'identity') return NEUTRAL;
    // Of failures: holds paths of sources.
    if (key === 'stackTrace') return '';
    // A sticky queue is named after process and host; the name behind it is the real one.
    if (isSticky(value)) return { ...value, name: NEUTRAL };
    return neutral(value);
  }
}

function isSticky(value: unknown): value is { kind: string; name: string } {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'TASK_QUEUE_KIND_STICKY'
  );
}

/** Every payload of a history as text, for those who look for what must not be in it. */
export function payloadsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(payloadsOf);
  if (typeof value !== 'object' || value === null) return [];
  if ('data' in value && 'metadata' in value && typeof value.data === 'string')
    return [Buffer.from(value.data, 'base64').toString('utf8')];
  return Object.values(value).flatMap(payloadsOf);
}
