/** Mails that events send: which templates, to whom, once, and what is written when one cannot be sent. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvent } from '../db/events.js';
import { eventually } from '../test/support/review-facts.js';
import { createWorld, type Member, type World } from '../test/support/world.js';
import { automationMailId } from '../workflows/automation-mail/contract.js';

const PROMOTION = { old_tier: 'T1', new_tier: 'T2', followers: 1_200, monthly_grant: 1, cap: 6 };

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});

afterAll(() => world?.remove());

beforeEach(async () => {
  await world.db
    .updateTable('soundcloud_automation_templates')
    .set({ enabled: true, subject: 'You are {{new_tier}} now' })
    .where('template_key', '=', 'tier_promotion')
    .execute();
});

/** Writes the event; the relay does the rest. @returns its id once its mails are done with. */
async function promoted(member: Member): Promise<string> {
  const dedupeKey = randomUUID();
  await world.db.transaction().execute((trx) =>
    emitEvent(trx, {
      orgId: world.orgId,
      type: 'member.promoted',
      entityType: 'member',
      entityId: member.id,
      data: { member_id: member.id, ...PROMOTION },
      occurredAt: Date.now(),
      dedupeKey,
    }),
  );
  const { id } = await world.db
    .selectFrom('soundcloud_events')
    .select('id')
    .where('dedupe_key', '=', dedupeKey)
    .executeTakeFirstOrThrow();
  const handle = world.client.workflow.getHandle(automationMailId(world.orgId, id));
  await eventually('the mails are written and handed over', async () => {
    const found = await handle.describe().catch(() => undefined);
    return found?.status.name === 'COMPLETED';
  });
  return id;
}

const logs = (member: Member) =>
  world.db
    .selectFrom('soundcloud_automation_logs')
    .selectAll()
    .where('recipient_member_id', '=', member.id)
    .execute();

const inMailbox = (member: Member) => world.sandbox.admin.mails({ to: member.email ?? '' });

describe('an event that a template names', () => {
  it('sends one mail with what it says, and logs it under the provider’s id', async () => {
    const member = await world.addMember();
    const eventId = await promoted(member);
    const [mail, ...others] = await inMailbox(member);
    expect(others).toEqual([]);
    expect(mail?.subject).toBe('You are T2 now');
    expect(mail?.html).toContain('1200 followers');
    expect(await logs(member)).toMatchObject([
      {
        template_key: 'tier_promotion',
        status: 'sent',
        provider_message_id: mail?.id,
        idempotency_key: `automation:${eventId}:tier_promotion`,
        parent_type: 'member',
        parent_id: member.id,
      },
    ]);
    const again = await world.client.workflow.start('automationMailWorkflow', {
      workflowId: automationMailId(world.orgId, eventId),
      taskQueue: world.config.SPARK_TASK_QUEUE,
      args: [{ orgId: world.orgId, eventId }],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    expect(await again.result()).toEqual({ mails: 0, leftOut: [] });
    expect(await inMailbox(member)).toHaveLength(1);
  });

  it('sends nothing while the template is disabled', async () => {
    await world.db
      .updateTable('soundcloud_automation_templates')
      .set({ enabled: false })
      .where('template_key', '=', 'tier_promotion')
      .execute();
    const member = await world.addMember();
    await promoted(member);
    expect(await logs(member)).toEqual([]);
  });

  it('writes to nobody on the suppression list, and says so', async () => {
    const member = await world.addMember();
    await world.db
      .insertInto('soundcloud_email_suppressions')
      .values({ org_id: world.orgId, email: member.email ?? '', reason: 'bounce', scope: 'all' })
      .execute();
    await promoted(member);
    expect(await inMailbox(member)).toEqual([]);
    expect(await logs(member)).toMatchObject([
      { status: 'failed', provider_message_id: null, error_message: expect.stringContaining('suppression') },
    ]);
  });

  it('tells admins of a template that needs what the event does not say', async () => {
    await world.db
      .updateTable('soundcloud_automation_templates')
      .set({ subject: '{{weather}}' })
      .where('template_key', '=', 'tier_promotion')
      .execute();
    const member = await world.addMember();
    await promoted(member);
    expect(await inMailbox(member)).toEqual([]);
    expect(await logs(member)).toMatchObject([
      { status: 'failed', error_message: expect.stringContaining('weather') },
    ]);
    const told = await world.db
      .selectFrom('soundcloud_notifications')
      .select('message')
      .where('user_id', '=', world.adminId)
      .where('title', '=', 'A mail template is broken')
      .execute();
    expect(told).toHaveLength(1);
  });

  it('leaves a member without an address out', async () => {
    const member = await world.addMember({ email: null });
    const eventId = await promoted(member);
    const result = await world.client.workflow.getHandle(automationMailId(world.orgId, eventId)).result();
    expect(result).toEqual({
      mails: 0,
      leftOut: [{ template: 'tier_promotion', reason: 'there is nobody to write to' }],
    });
  });
});
