import { workflowInfo } from '@temporalio/workflow';

/** Ids of the steps of a lifecycle that no person asked for. */
export interface Steps {
  /** How many ids were given; travels through continue-as-new. */
  readonly taken: number;
  /** The same on every replay and retry, different for each step of all runs of the lifecycle. */
  nextId(): string;
}

/** @param taken of the run before. */
export function countSteps(taken = 0): Steps {
  let given = taken;
  return {
    get taken() {
      return given;
    },
    nextId() {
      given += 1;
      return `${workflowInfo().firstExecutionRunId}:${given}`;
    },
  };
}
