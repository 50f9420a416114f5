/**
 * Where a workflow's command is given over HTTP. What a lifecycle waits for names its commands as the Temporal UI knows
 * them; people who read it over the API need the address.
 */

/** @param address what stands for the entity in its address: its id, of a queue its date. */
type PathOf = (address: string) => string;

const submission =
  (verb: string): PathOf =>
  (id) =>
    `/v1/submissions/${id}/${verb}`;

const queue =
  (verb: string): PathOf =>
  (date) =>
    `/v1/queues/${date}/${verb}`;

const schedule =
  (verb: string): PathOf =>
  (id) =>
    `/v1/schedules/${id}/${verb}`;

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
  queue: {
    approve: queue('approve'),
    regenerate: queue('regenerate'),
    swapAssignment: queue('assignments/swap'),
    dropAssignment: queue('assignments/drop'),
    addAssignment: queue('assignments/add'),
  },
  schedule: {
    cancel: schedule('cancel'),
    confirmCancelled: schedule('confirm-cancelled'),
    answerUnknown: schedule('answer-unknown'),
  },
  attribution: { enterSnapshot: () => '/v1/snapshots' },
};

/** The text with the address behind each command it names, the first time: `decide (POST /v1/…/decide): approve, …`. */
export function withPaths(entityType: string, address: string, text: string): string {
  return Object.entries(COMMAND_PATHS[entityType] ?? {}).reduce(
    (sofar, [command, pathOf]) =>
      sofar.replace(new RegExp(`\\b${command}\\b`, 'u'), `${command} (POST ${pathOf(address)})`),
    text,
  );
}
