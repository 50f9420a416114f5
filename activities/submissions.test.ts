/** Activities of the review whose answer is lost: what they say when they are tried again. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import type { SubmissionCommand } from '../domain/submission-commands.js';
import { applyCommand, beginReview, type ReviewState } from '../domain/submission-review.js';
import { reviewFacts } from '../test/support/review-facts.js';
import { createWorld, type Submission, type World } from '../test/support/world.js';
import { createSubmissionActivities } from './submissions.js';

let world: World;
let worker: Db;
let facts: ReturnType<typeof reviewFacts>;
let activities: ReturnType<typeof createSubmissionActivities>;
const NOW = Date.UTC(2026, 0, 5, 12);

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 4 });
  facts = reviewFacts(world);
  activities = createSubmissionActivities({ db: worker });
});

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

const state = (): ReviewState => ({
  ...beginReview(NOW, null, {
    decisionSlaHours: 24,
    onBreach: 'escalate',
    warnPercent: 75,
    liveLinkReminderHours: [24, 72],
    liveLinkCloseDays: 7,
    minRejectWords: 10,
  }),
  familyKnown: true,
});
const targetOf = (submission: Submission) => ({
  orgId: world.orgId,
  submissionId: submission.id,
  workflowId: submission.workflowId,
});

/** One try of the activity that records a command. */
function record(submission: Submission, command: SubmissionCommand) {
  const { next: _, ...change } = applyCommand(state(), command, NOW);
  const input = {
    ...targetOf(submission),
    stepId: command.commandId,
    step: command.name,
    command,
    change,
    wait: null,
    now: NOW,
  };
  return new MockActivityEnvironment().run(activities.recordTransition, input);
}

describe('a command whose answer was lost', () => {
  it('stays applied, though the facts that allowed it have changed since', async () => {
    const submission = await world.submit();
    const command: SubmissionCommand = {
      name: 'assignOwner',
      commandId: 'lost-answer',
      by: world.adminId,
      ownerId: world.moderatorId,
    };
    const first = await record(submission, command);
    expect(first).toMatchObject({ applied: true });
    await sql`delete from public.soundcloud_user_roles where user_id = ${world.moderatorId}`.execute(
      world.db,
    );
    expect(await record(submission, command)).toEqual(first);

    const afterwards = await record(submission, { ...command, commandId: 'another' });
    expect(afterwards).toMatchObject({ applied: false, code: 'owner_not_ops' });
    await sql`insert into public.soundcloud_user_roles (org_id, user_id, role)
      values (${world.orgId}, ${world.moderatorId}, 'moderator')`.execute(world.db);
    expect(await record(submission, { ...command, commandId: 'another' })).toEqual(afterwards);
  });

  it('stays applied when it comes again and is too late for its own effect', async () => {
    const submission = await world.submit();
    const command: SubmissionCommand = { name: 'withdraw', commandId: 'twice', by: 'member' };
    await record(submission, command);
    const refusal = { code: 'submission_closed', reason: 'Too late.' } as const;
    const refuse = (again: SubmissionCommand) =>
      new MockActivityEnvironment().run(activities.recordRefusal, {
        ...targetOf(submission),
        command: again,
        ...refusal,
      });
    expect(await refuse(command)).toEqual({ applied: true });
    expect(await refuse({ ...command, commandId: 'thrice' })).toEqual({ applied: false, ...refusal });
  });
});

describe('a command id a person made up', () => {
  it('may be used for two submissions', async () => {
    const both = [await world.submit(), await world.submit()];
    for (const submission of both) {
      await record(submission, {
        name: 'decide',
        commandId: '1',
        by: world.adminId,
        action: 'flag',
        reason: 'Look at the cover.',
      });
      expect(await facts.row(submission)).toMatchObject({ status: 'qa_flag' });
      expect(await facts.events(submission)).toEqual(['submission.created', 'submission.decided']);
    }
  });
});

it('the secret token of a private link is not in what the Temporal UI and notifications call the track', async () => {
  const submission = await world.submit({
    trackUrl: 'https://soundcloud.com/an-artist/unreleased/s-Ab3dEf9hI1j',
  });
  const opening = await new MockActivityEnvironment().run(activities.openReview, {
    ...targetOf(submission),
    realNow: NOW,
  });
  expect(opening).toMatchObject({ closed: false, label: 'soundcloud.com/an-artist/unreleased' });
});
