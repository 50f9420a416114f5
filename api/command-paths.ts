/**
 * Where a workflow's command is given over HTTP. What a lifecycle waits for names its commands as the Temporal UI knows
 * them; people who read it over the API need the address.
 */

type PathOf = (entityId: string) => string;

const submission =
  (verb: string): PathOf =>
  (id) =>
    `/v1/submissions/${id}/${verb}`;

/** By entity type and command; commands without an address of their own are left out. */
export const COMMAND_PATHS: Readonly<Record<string, Readonly<Record<string, PathOf>>>> = {
  submission: {
    decide: submission('decide'),
    assignOwner: submission('assign-owner'),
    withdraw: submission('withdraw'),
    provideLiveLink: submission('provide-live-link'),
    keepWaiting: submission('keep-waiting'),
    closeSupport: submission('close-support'),
  },
  assignment: {
    submitProof: (id) => `/v1/assignments/${id}/proof`,
    skip: (id) => `/v1/assignments/${id}/skip`,
    overrideOutcome: (id) => `/v1/assignments/${id}/override`,
  },
  attribution: { enterSnapshot: () => '/v1/snapshots' },
};

/** The text with the address behind each command it names, the first time: `decide (POST /v1/…/decide): approve, …`. */
export function withPaths(entityType: string, entityId: string, text: string): string {
  return Object.entries(COMMAND_PATHS[entityType] ?? {}).reduce(
    (sofar, [command, pathOf]) =>
      sofar.replace(new RegExp(`\\b${command}\\b`, 'u'), `${command} (POST ${pathOf(entityId)})`),
    text,
  );
}
