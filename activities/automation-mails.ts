/** Writes the mails that automation templates send on an event. */
import {
  type AutomationEvent,
  automationMailKey,
  loadAutomationEvent,
  logAutomation,
  pendingAutomationMails,
  templatesOn,
} from '../db/automation-mails.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { memberAddress, queueMail } from '../db/email.js';
import { notify } from '../db/notifications.js';
import { automationVariables } from '../domain/automation-mails.js';
import { toBusiness } from '../domain/calendar.js';
import { type MailValue, renderMail } from '../domain/mail-template.js';
import type { AutomationMailResult } from '../workflows/automation-mail/contract.js';
import { notFound } from './failures.js';

export interface WrittenAutomationMails {
  /** Rows of `soundcloud_email_logs` to hand over. */
  mails: string[];
  leftOut: AutomationMailResult['leftOut'];
  /** The event's type, for the Temporal UI. */
  about: string;
}

interface Recipient {
  email: string;
  memberId: string | null;
  variables: Record<string, MailValue>;
}

/** @param deps.reconnectUrl where members reconnect an account. */
export function createAutomationMailActivities({ db, reconnectUrl }: { db: Db; reconnectUrl: string }) {
  return {
    /** Renders and writes what the event sends, once; a template that cannot be rendered is logged and told of. */
    async writeAutomationMails(input: { orgId: string; eventId: string }): Promise<WrittenAutomationMails> {
      const { orgId, eventId } = input;
      return withOrg(db, orgId, async (trx) => {
        const event = await loadAutomationEvent(trx, orgId, eventId);
        if (event === undefined) throw notFound(`Event ${eventId} does not exist.`);
        const result: WrittenAutomationMails = { mails: [], leftOut: [], about: event.type };
        const recipient = await recipientOf(trx, orgId, event);
        const keys: string[] = [];
        for (const template of await templatesOn(trx, orgId, event.type)) {
          const key = template.template_key;
          if (recipient === undefined) {
            result.leftOut.push({ template: key, reason: 'there is nobody to write to' });
            continue;
          }
          const idempotencyKey = automationMailKey(eventId, key);
          keys.push(idempotencyKey);
          const variables = automationVariables(event.data, recipient.variables);
          const rendered = renderMail(template, variables);
          const body = rendered.ok ? rendered : { subject: template.subject, html: '', text: null };
          const id = await queueMail(trx, {
            orgId,
            template: key,
            recipient: recipient.email,
            subject: body.subject,
            html: body.html,
            text: body.text,
            variables,
            idempotencyKey,
            relatedType: 'member',
            relatedId: event.entityId,
            automation: {
              template_key: key,
              event_id: eventId,
              member_id: recipient.memberId,
              parent_type: event.entityType,
              parent_id: event.entityId,
            },
            ...(!rendered.ok && { failure: rendered.reason }),
          });
          if (rendered.ok || id === null) continue;
          result.leftOut.push({ template: key, reason: rendered.reason });
          await logAutomation(trx, orgId, id, toBusiness(await readClock(trx), Date.now()));
          await tellOfTemplate(trx, orgId, { key, reason: rendered.reason, mailId: id });
        }
        // Also those of an earlier try whose answer was lost.
        return { ...result, mails: await pendingAutomationMails(trx, orgId, keys) };
      });
    },
  };

  /** Who the event is about. */
  async function recipientOf(
    trx: Trx,
    orgId: string,
    event: AutomationEvent,
  ): Promise<Recipient | undefined> {
    if (event.entityType !== 'member') return undefined;
    const address = await memberAddress(trx, orgId, event.entityId);
    return (
      address && {
        email: address.email,
        memberId: event.entityId,
        variables: { member_name: address.name, reconnect_url: reconnectUrl },
      }
    );
  }
}

async function tellOfTemplate(
  trx: Trx,
  orgId: string,
  broken: { key: string; reason: string; mailId: string },
): Promise<void> {
  await notify(trx, {
    orgId,
    audience: { kind: 'admins' },
    type: 'error',
    title: 'A mail template is broken',
    message: `${broken.key}: ${broken.reason}`,
    actionUrl: '/console/mail/templates',
    metadata: { email_log_id: broken.mailId, template: broken.key },
  });
}
