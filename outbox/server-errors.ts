/** What an error of Temporal's client says of the server. */

/** gRPC's UNAVAILABLE: the server is not there. */
const AWAY = [14];
/** gRPC's DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and INTERNAL: the server, or only what it was asked. */
const DOUBTFUL = [4, 8, 13];

/** The server is not there. */
export function isAway(error: unknown): boolean {
  return hasCode(error, AWAY);
}

/** It is not there, has no time, or stumbled over this: asked later it may answer. Every other error is an answer. */
export function mayPass(error: unknown): boolean {
  return hasCode(error, [...AWAY, ...DOUBTFUL]);
}

function hasCode(error: unknown, codes: readonly unknown[]): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && codes.includes(error.code)) || hasCode(error.cause, codes);
}
