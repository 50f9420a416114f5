/** Everything a review leaves behind, in a form in which two reviews can be compared. */
import { reviewFacts } from '../../support/review-facts.js';
import type { Submission, World } from '../../support/world.js';

/** What must not differ between two reviews of the same kind, however they went: ids, times and names are replaced. */
export async function accountOf(world: World, submission: Submission) {
  const { db, adminId, moderatorId } = world;
  const facts = reviewFacts(world);
  const of = { entity: submission.id, workflow: submission.workflowId };
  const [steps, events, mailEvents, mailbox] = await Promise.all([
    db
      .selectFrom('soundcloud_commands')
      .select(['name', 'status', 'code'])
      .where('workflow_id', '=', of.workflow)
      .orderBy('name')
      .execute(),
    db
      .selectFrom('soundcloud_events')
      .select(['type', 'data'])
      .where('entity_id', '=', of.entity)
      .orderBy('seq')
      .execute(),
    db
      .selectFrom('soundcloud_mail_events')
      .select(['object_type', 'event_type'])
      .where('object_id', '=', of.entity)
      .execute(),
    world.sandbox.admin.mails({ to: submission.member.email ?? '' }),
  ]);
  return neutral({
    row: await facts.row(submission),
    wait: await facts.wait(submission),
    events,
    steps,
    notifications: {
      admin: await facts.notifications(submission, adminId),
      moderator: await facts.notifications(submission, moderatorId),
    },
    mails: await facts.mails(submission),
    mailEvents,
    mailbox: mailbox.map((mail) => mail.subject).sort(),
    // Ties between supporters are broken by id, so only the sums are the same for all.
    proposals: (await facts.proposals(submission)).map((proposal) => ({
      targets: (proposal.proposed_targets as unknown[]).length,
      conflicts: (proposal.conflicts as unknown[]).length,
      capacity: proposal.total_capacity,
      credits: proposal.estimated_credits,
    })),
  });
}

/** Replaces what is different in each review by what it is. */
export function neutral(value: unknown): unknown {
  if (value instanceof Date) return '<time>';
  if (Array.isArray(value)) return value.map(neutral);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, neutral(inner)]));
  if (typeof value !== 'string') return value;
  return value
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<id>')
    .replace(/\bmember-\d+\b/g, '<handle>')
    .replace(/\bMember \d+\b/g, '<name>')
    .replace(/\btrack-\d+\b/g, '<track>')
    .replace(/\bsoundcloud:(\w+):\d+\b/g, '<urn>')
    .replace(/\b\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?/g, '<time>');
}
