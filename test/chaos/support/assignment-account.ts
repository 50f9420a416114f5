/** Everything an assignment leaves behind, in a form in which two of them can be compared. */
import { assignmentsOf, type PublishedAssignment } from '../../support/assignments.js';
import type { World } from '../../support/world.js';
import { neutral } from './account.js';

/** What must not differ between two assignments with the same story, however they went. */
export async function accountOfAssignment(world: World, assignment: PublishedAssignment) {
  const { db } = world;
  const { facts } = assignmentsOf(world);
  const [steps, events, evidence, entries, notifications, mailbox] = await Promise.all([
    db
      .selectFrom('soundcloud_commands')
      .select(['name', 'status', 'code'])
      .where('workflow_id', '=', assignment.workflowId)
      .orderBy('name')
      .execute(),
    db
      .selectFrom('soundcloud_events')
      .select(['type', 'data'])
      .where('entity_id', '=', assignment.id)
      .orderBy('seq')
      .execute(),
    db
      .selectFrom('soundcloud_proof_checks')
      .select(['check_key', 'source', 'phase', 'verdict', 'positive_control', 'facts'])
      .where('assignment_id', '=', assignment.id)
      .orderBy('check_key')
      .execute(),
    db
      .selectFrom('soundcloud_repost_credit_ledger')
      .select(['reason', 'reference_type', 'change_amount', 'balance_after', 'forfeited'])
      .where('reference_id', '=', assignment.id)
      .orderBy('reason')
      .execute(),
    db
      .selectFrom('soundcloud_notifications')
      .select(['user_id', 'title', 'message', 'metadata'])
      .where('org_id', '=', world.orgId)
      .orderBy('title')
      .execute(),
    world.sandbox.admin.mails({ to: assignment.supporter.email ?? '' }),
  ]);
  return neutral({
    row: await facts.row(assignment),
    wait: await facts.wait(assignment),
    events,
    steps,
    evidence,
    entries,
    artist: await facts.wallet(assignment.artist),
    supporter: await facts.wallet(assignment.supporter),
    notifications: notifications
      .filter(({ metadata }) => (metadata as { assignment_id?: string }).assignment_id === assignment.id)
      .map(({ title, message }) => `${title}: ${message}`),
    mails: await facts.mails(assignment),
    mailbox: mailbox.map((mail) => mail.subject).sort(),
  });
}
