/** Mails whose outcome is unknown: repeated while the provider knows their key, never longer. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Db } from '../db/client.js';
import { createResendClient } from '../providers/email/resend-client.js';
import { reviewFacts } from '../test/support/review-facts.js';
import { createWorld, type Submission, type World } from '../test/support/world.js';
import { createEmailActivities } from './email.js';
import { createSubmissionActivities, type ReviewOpening } from './submissions.js';

let world: World;
let worker: Db;

beforeAll(async () => {
  world = await createWorld();
  worker = createDatabase(world.database.workerUrl, { max: 2 });
});

afterEach(() => world.sandbox.admin.clearFaults('mailbox'));

afterAll(async () => {
  await worker?.destroy();
  await world?.remove();
});

/** A submission with its confirmation mail written, as the review's first activity leaves it. */
async function owingConfirmation(): Promise<{ submission: Submission; emailLogId: string }> {
  const submission = await world.submit();
  const { openReview } = createSubmissionActivities({ db: worker });
  const opening: ReviewOpening = await new MockActivityEnvironment().run(openReview, {
    orgId: world.orgId,
    submissionId: submission.id,
    workflowId: submission.workflowId,
    realNow: Date.now(),
  });
  return { submission, emailLogId: (opening.closed ? undefined : opening.mails[0]) ?? '' };
}

function deliver(emailLogId: string) {
  const { deliverMail } = createEmailActivities({
    db: worker,
    email: createResendClient({
      baseUrl: world.config.RESEND_BASE_URL,
      apiKey: world.config.RESEND_API_KEY,
      takeLeave: async () => ({ allowed: true }),
    }),
    mailFrom: world.config.MAIL_FROM,
  });
  return new MockActivityEnvironment().run(deliverMail, { orgId: world.orgId, emailLogId });
}

const inMailbox = (submission: Submission) =>
  world.sandbox.admin.mails({ to: submission.member.email ?? '' });
const age = (emailLogId: string, hours: number) =>
  sql`update public.soundcloud_email_logs
    set metadata = metadata || jsonb_build_object('first_tried_at', (metadata ->> 'first_tried_at')::bigint - ${hours * 3_600_000}::bigint)
    where id = ${emailLogId}`.execute(world.db);

it('a mail is sent again within the day, under the same key', async () => {
  const { submission, emailLogId } = await owingConfirmation();
  await world.sandbox.admin.addFault('mailbox', { kind: 'status', status: 500, path: '/emails' });
  await expect(deliver(emailLogId)).rejects.toMatchObject({ type: 'provider_unavailable' });
  await world.sandbox.admin.clearFaults('mailbox');
  await age(emailLogId, 22);
  expect(await deliver(emailLogId)).toEqual({ notBefore: null });
  expect(await inMailbox(submission)).toHaveLength(1);
  expect(await reviewFacts(world).mails(submission)).toEqual(['submission_confirmation sent']);
});

it('a mail that was first tried a day ago is not sent again by whatever run comes later', async () => {
  const { submission, emailLogId } = await owingConfirmation();
  await world.sandbox.admin.addFault('mailbox', { kind: 'status', status: 500, path: '/emails' });
  await expect(deliver(emailLogId)).rejects.toMatchObject({ type: 'provider_unavailable' });
  await world.sandbox.admin.clearFaults('mailbox');
  await age(emailLogId, 24);
  await expect(deliver(emailLogId)).rejects.toMatchObject({ type: 'too_late_to_repeat', nonRetryable: true });
  expect(await inMailbox(submission)).toEqual([]);
});
