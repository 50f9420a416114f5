/**
 * Takes people's commands for a lifecycle: each is an Update and, under the same name, a Signal. Both end up in one
 * inbox that the lifecycle's main loop empties; an Update is answered when its command was applied, a refused Signal
 * is written down. A command id is applied once, however often and on whichever way it arrives.
 */

import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  currentUpdateInfo,
  defineSignal,
  defineUpdate,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

/** How many command ids are remembered; they travel through continue-as-new. */
export const REMEMBERED_COMMANDS = 200;
const SHOWN_REFUSALS = 20;

type Check<Code> = { ok: true } | { ok: false; code: Code; reason: string };
type Read<C, Code> = { ok: true; command: C } | { ok: false; code: Code; reason: string };

export type Outcome<Code extends string> = { commandId: string } & (
  | { applied: true }
  | { applied: false; code: Code; reason: string }
);

/** A command that came by Signal and could not be applied. */
export interface RefusedSignal<Code extends string> {
  command: string;
  commandId: string;
  code: Code;
  reason: string;
  /** Business ms. */
  at: number;
}

interface Options<C extends { name: string }, View, Code extends string> {
  read(name: C['name'], input: unknown, fallbackId: string): Read<C, Code>;
  /** The rule check against the present state; true while the state is not known or about to change. */
  check(command: C): Check<Code>;
  view(): View;
  now(): number;
  carried: { outcomes: Outcome<Code>[]; refused: RefusedSignal<Code>[] } | undefined;
}

export interface CommandInbox<C, Code extends string> {
  readonly outcomes: Outcome<Code>[];
  readonly refused: RefusedSignal<Code>[];
  hasWork(): boolean;
  /** The next command to apply; stays in the inbox until {@link settle}. */
  next(): C | undefined;
  settle(command: C, outcome: { applied: true } | { applied: false; code: Code; reason: string }): void;
  /** Waits until every command is answered. @returns false when another one came first */
  answered(): Promise<boolean>;
  /**
   * Answers what comes too late, until no handler is left waiting: the last thing a lifecycle does.
   * @param refuse must {@link settle} the command
   */
  refuseTheRest(refuse: (command: C) => Promise<void>): Promise<void>;
}

/**
 * Registers the handlers; call it before the first await, so that no early command is missed.
 * @param descriptions command names with what they take, for the Temporal UI.
 */
export function receiveCommands<C extends { commandId: string; name: string }, View, Code extends string>(
  descriptions: Readonly<Record<C['name'], string>>,
  options: Options<C, View, Code>,
): CommandInbox<C, Code> {
  const outcomes = [...(options.carried?.outcomes ?? [])];
  const refused = [...(options.carried?.refused ?? [])];
  const waiting: C[] = [];
  const bySignal: string[] = [];
  let signalsSeen = 0;

  const outcomeOf = (commandId: string) => outcomes.find((outcome) => outcome.commandId === commandId);
  const enqueue = (command: C) => {
    const known =
      outcomeOf(command.commandId) || waiting.some((other) => other.commandId === command.commandId);
    if (!known) waiting.push(command);
  };
  const noteRefusal = (command: string, commandId: string, refusal: { code: Code; reason: string }) => {
    refused.push({ command, commandId, code: refusal.code, reason: refusal.reason, at: options.now() });
    refused.splice(0, refused.length - SHOWN_REFUSALS);
  };
  const readOrRefuse = (name: C['name'], input: unknown): C => {
    const read = options.read(name, input, currentUpdateInfo()?.id ?? 'update');
    if (!read.ok) throw refusal(read);
    return read.command;
  };

  for (const [name, description] of Object.entries<string>(descriptions) as [C['name'], string][]) {
    setHandler(
      defineUpdate<View, [unknown]>(name),
      async (input) => {
        const command = readOrRefuse(name, input);
        enqueue(command);
        await condition(() => outcomeOf(command.commandId) !== undefined);
        const outcome = outcomeOf(command.commandId);
        if (outcome?.applied === false) throw refusal(outcome);
        return options.view();
      },
      {
        description,
        validator: (input) => {
          const command = readOrRefuse(name, input);
          if (outcomeOf(command.commandId)) return;
          const check = options.check(command);
          if (!check.ok) throw refusal(check);
        },
      },
    );
    setHandler(
      defineSignal<[unknown]>(name),
      (input) => {
        signalsSeen += 1;
        const fallbackId = `signal:${workflowInfo().runId}:${signalsSeen}`;
        const read = options.read(name, input, fallbackId);
        if (read.ok) {
          bySignal.push(read.command.commandId);
          enqueue(read.command);
        } else {
          noteRefusal(name, fallbackId, read);
        }
      },
      { description },
    );
  }

  const answered = async () => {
    await condition(() => allHandlersFinished() || waiting.length > 0);
    return waiting.length === 0;
  };

  return {
    outcomes,
    refused,
    hasWork: () => waiting.length > 0,
    next: () => waiting[0],
    answered,
    async refuseTheRest(refuse) {
      do {
        for (let command = waiting[0]; command !== undefined; command = waiting[0]) await refuse(command);
      } while (!(await answered()));
    },
    settle(command, outcome) {
      const at = waiting.findIndex((other) => other.commandId === command.commandId);
      if (at >= 0) waiting.splice(at, 1);
      outcomes.push({ commandId: command.commandId, ...outcome });
      outcomes.splice(0, outcomes.length - REMEMBERED_COMMANDS);
      const signalled = bySignal.indexOf(command.commandId);
      if (signalled >= 0) {
        bySignal.splice(signalled, 1);
        if (!outcome.applied) noteRefusal(command.name, command.commandId, outcome);
      }
    },
  };
}

function refusal(check: { code: string; reason: string }): ApplicationFailure {
  return ApplicationFailure.create({ type: check.code, message: check.reason, nonRetryable: true });
}
