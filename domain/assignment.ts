/**
 * The rules of an assignment's commands (lifecycles.md, "assignment"): pure functions from a state and a command to a
 * transition. The workflow decides when, the database records what. Times are business milliseconds.
 */
import type { AssignmentCheck, AssignmentCommand, AssignmentRefusalCode } from './assignment-commands.js';
import { capture, complete, fail, skip } from './assignment-outcomes.js';
import { type AssignmentState, planLook, type Transition, transition } from './assignment-state.js';
import { readProofUrl } from './proof.js';

/** May this command be applied now? The reason says what the state is and what to do instead. */
export function checkAssignmentCommand(state: AssignmentState, command: AssignmentCommand): AssignmentCheck {
  if (state.stage === 'closed') return refuse('assignment_closed', closedReason(state.status));
  switch (command.name) {
    case 'overrideOutcome':
    case 'scheduleReported':
      return { ok: true };
    case 'skip':
      return state.stage === 'proof' ? { ok: true } : pastProof(state);
    case 'submitProof': {
      if (state.stage !== 'proof') return pastProof(state);
      const read = readProofUrl(command.url, state.subject);
      return read.ok ? { ok: true } : refuse('proof_url_unrelated', read.reason);
    }
  }
}

/** What an assignment says to every command once it is settled. */
export function closedReason(status: string): string {
  return `This assignment is settled (${status}); its outcome stands. To correct credits, make a manual credit change of the member's wallet.`;
}

/** Applies a command that {@link checkAssignmentCommand} allowed. */
export function applyAssignmentCommand(
  state: AssignmentState,
  command: AssignmentCommand,
  now: number,
): Transition {
  switch (command.name) {
    case 'submitProof':
      return takeProof(state, command, now);
    case 'skip':
      return skip(state, now, command.by, command.reason);
    case 'overrideOutcome':
      return override(state, command, now);
    case 'scheduleReported':
      return hearScheduler(state, command, now);
  }
}

function takeProof(
  state: AssignmentState,
  command: AssignmentCommand & { name: 'submitProof' },
  now: number,
): Transition {
  const read = readProofUrl(command.url, state.subject);
  const url = read.ok ? read.url : command.url;
  const next = planLook({ ...state, proofUrl: url }, 'proof', now);
  return transition(next, 'submitProof', {
    row: { proof_url: url, proof_submitted_at: now },
    evidence: {
      source: 'member_url',
      verdict: 'inconclusive',
      key: `member_url:${next.looks}`,
      facts: { url, by: command.by, ...(read.ok && { kind: read.kind }) },
    },
  });
}

function override(
  state: AssignmentState,
  command: AssignmentCommand & { name: 'overrideOutcome' },
  now: number,
): Transition {
  const { outcome, by, reason } = command;
  switch (outcome) {
    case 'completed': {
      // In the watch there is nothing left to accept: ops end it.
      if (state.stage === 'watch') {
        const ended = capture(state, now, by);
        return { ...ended, row: { ...ended.row, outcome_reason: reason } };
      }
      return complete(state, now, 'ops', by, { row: { outcome_reason: reason } });
    }
    case 'skipped':
      return skip(state, now, by, reason);
    case 'failed':
      return fail(state, now, { by, reason });
  }
}

/** What the scheduler says of the repost it was to make. */
function hearScheduler(
  state: AssignmentState,
  command: AssignmentCommand & { name: 'scheduleReported' },
  now: number,
): Transition {
  const { status, proofUrl } = command;
  const done = status === 'completed';
  const looks = state.looks + 1;
  const evidence = {
    source: 'scheduler' as const,
    verdict: done ? ('seen' as const) : ('inconclusive' as const),
    key: `scheduler:${looks}`,
    facts: { status, ...(proofUrl && { url: proofUrl }) },
  };
  const heard = { ...state, looks };
  if (!done) {
    return transition(heard, 'scheduleReported', {
      evidence,
      notices:
        state.stage === 'proof'
          ? [
              {
                to: 'supporter',
                kind: 'warning',
                title: 'Your repost was not made by itself',
                message:
                  'The scheduler could not make it. Please repost the track by hand before the deadline.',
              },
            ]
          : [],
    });
  }
  if (state.stage === 'watch') return transition({ ...heard, seen: true }, 'scheduleReported', { evidence });
  const url = state.proofUrl ?? proofUrl ?? null;
  return complete({ ...heard, proofUrl: url }, now, 'evidence', 'scheduler', {
    evidence,
    row: url !== null && state.proofUrl === null ? { proof_url: url } : {},
  });
}

function pastProof(state: AssignmentState): AssignmentCheck {
  if (state.stage === 'watch') {
    return refuse(
      'assignment_completed',
      'This assignment is completed and its repost is being watched; nothing more is needed.',
    );
  }
  return refuse(
    'proof_too_late',
    'The deadline is over and the outcome is being decided. Write to the team if there is something to add.',
  );
}

function refuse(code: AssignmentRefusalCode, reason: string): AssignmentCheck {
  return { ok: false, code, reason };
}
