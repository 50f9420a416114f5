/** What mails call a track whose title is not known, and which of its addresses they tell whom. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { transition } from '../domain/assignment-state.js';
import { assignmentWait } from '../domain/assignment-wait.js';
import { assignmentsOf } from '../test/support/assignments.js';
import { createWorld, type Submission, type World } from '../test/support/world.js';
import { type AssignmentOpening, createAssignmentActivities } from './assignments.js';
import { queueMemberMail } from './member-mails.js';
import { createSubmissionActivities } from './submissions.js';

let world: World;
let worker: Db;
const SECRET = 's-AbCd1234';

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

async function mailAbout(id: string, template?: string) {
  const { subject, metadata, template_data } = await world.db
    .selectFrom('soundcloud_email_logs')
    .select(['subject', 'metadata', 'template_data'])
    .where('related_object_id', '=', id)
    .$if(template !== undefined, (query) => query.where('template_name', '=', template ?? ''))
    .executeTakeFirstOrThrow();
  return { subject, template_data, ...(metadata as { html: string; text: string }) };
}

const setLinks = (submission: Submission, trackUrl: string, liveLink: string | null) =>
  sql`update public.soundcloud_submissions set track_url = ${trackUrl}, live_link_url = ${liveLink}
    where id = ${submission.id}`.execute(world.db);

describe('the confirmation of a submission', () => {
  it('names a track without title by its address, and tells the secret token only where the member follows it', async () => {
    const submission = await world.submit({ unstarted: true });
    const link = `https://soundcloud.com/night-harbor/first-light/${SECRET}`;
    await setLinks(submission, link, null);
    const { openReview } = createSubmissionActivities({ db: worker });
    await new MockActivityEnvironment().run(openReview, {
      orgId: world.orgId,
      submissionId: submission.id,
      workflowId: submission.workflowId,
      realNow: Date.now(),
    });
    const mail = await mailAbout(submission.id);
    expect(mail.subject).toBe('We have your track: soundcloud.com/night-harbor/first-light');
    expect(mail.text).toContain('submitting soundcloud.com/night-harbor/first-light.');
    expect(mail.text).toContain(`Listen to what you sent us: ${link}`);
  });
});

describe('the mail of an assignment', () => {
  const open = async (liveLink: string | null) => {
    const assignment = await assignmentsOf(world).publishOne({ unstarted: true });
    await setLinks(
      assignment.submission,
      `https://soundcloud.com/night-harbor/${assignment.id}/${SECRET}`,
      liveLink,
    );
    const activities = createAssignmentActivities({
      db: worker,
      soundcloud: { configured: true },
      publicUrl: 'https://spark.test',
    });
    const target = {
      orgId: world.orgId,
      assignmentId: assignment.id,
      workflowId: assignment.workflowId,
    };
    const opened: AssignmentOpening = await new MockActivityEnvironment().run(activities.openAssignment, {
      ...target,
      realNow: Date.now(),
    });
    if (opened.closed) throw new Error('The assignment is open.');
    return { assignment, activities, target, state: opened.state };
  };
  const announce = async (liveLink: string | null) => {
    const { assignment } = await open(liveLink);
    return { assignment, mail: await mailAbout(assignment.id) };
  };
  const remind = async (liveLink: string | null) => {
    const { assignment, activities, target, state } = await open(liveLink);
    const { next, ...change } = transition(state, 'reminder', { mail: 'proof_reminder' });
    const now = Date.now();
    await new MockActivityEnvironment().run(activities.recordAssignmentStep, {
      ...target,
      stepId: `reminder:${assignment.id}`,
      step: 'reminder',
      command: null,
      change,
      next,
      basedOn: state.revision,
      wait: assignmentWait(next, now),
      now,
    });
    return { assignment, mail: await mailAbout(assignment.id, 'proof_reminder') };
  };

  it.each([
    ['that tells of it', announce],
    ['that reminds of the proof', remind],
  ])('%s has the public link, and never the secret token', async (_, send) => {
    const live = `https://soundcloud.com/night-harbor/out-now`;
    const { mail } = await send(live);
    expect(mail.text).toContain(`Open the track: ${live}\n`);
    expect(JSON.stringify(mail)).not.toContain(SECRET);
    const without = await send(null);
    const address = `https://soundcloud.com/night-harbor/${without.assignment.id}`;
    expect(without.mail.text).toContain(`Open the track: ${address}\n`);
    expect(JSON.stringify(without.mail)).not.toContain(SECRET);
  });

  it('counts credits in words that fit one', async () => {
    const { mail } = await announce(null);
    expect(mail.text).toContain('- Credits earned: 1\n');
    expect(mail.html).toContain('<li>Credits earned: 1</li>');
  });
});

it('the mail at the end names an expected reach, in thousands', async () => {
  const submission = await world.submit({ unstarted: true });
  await worker.transaction().execute(async (trx) => {
    await sql`select set_config('app.org_id', ${world.orgId}, true)`.execute(trx);
    await queueMemberMail(trx, {
      orgId: world.orgId,
      template: 'support_confirmation',
      memberId: submission.member.id,
      timezone: 'UTC',
      facts: {
        track_title: 'Low Tide',
        track_url: submission.trackUrl,
        support_url: submission.trackUrl,
        reposts: 1,
        reach: 1_067,
        credits_consumed: 1,
      },
      relatedType: 'submission',
      relatedId: submission.id,
    });
  });
  const mail = await mailAbout(submission.id);
  expect(mail.text).toContain('- Expected reach: 1,067 listeners\n- Credits spent: 1\n');
  expect(mail.html).not.toContain('followers');
});
