/** Hands mails over to the provider. */
import { cancellationSignal } from '@temporalio/activity';
import { reportAutomation } from '../db/automation-health.js';
import { type Db, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { loadMail, markMailFailed, markMailSent, noteFirstTry, type StoredMail } from '../db/email.js';
import { notify } from '../db/notifications.js';
import { toBusiness } from '../domain/calendar.js';
import type { EmailPort } from '../providers/email/port.js';
import { ProviderError } from '../providers/errors.js';
import { RequestNotYetAllowed } from '../providers/rate-limit.js';
import { notFound, providerFailure, tooLateToRepeat } from './failures.js';

/** The provider forgets an idempotency key after 24 h; a try an hour before that is over in time. */
const REPEATABLE_MS = 23 * 3_600_000;

const AUTOMATION_BY_OBJECT: Partial<Record<StoredMail['relatedType'], string>> = {
  submission: 'submission-status-emails',
  inquiry: 'inquiry-status-emails',
  assignment: 'queue-assignment-emails',
  notification: 'notification-emails',
};

export interface MailTarget {
  orgId: string;
  /** Row of `soundcloud_email_logs`. */
  emailLogId: string;
}

export function createEmailActivities({
  db,
  email,
  mailFrom,
}: {
  db: Db;
  email: EmailPort;
  mailFrom: string;
}) {
  return {
    /**
     * Sends one written mail under its own idempotency key; a mail that is sent or given up already is left alone.
     * @returns notBefore: real time (epoch ms) to try again, null when done.
     * @throws ApplicationFailure `too_late_to_repeat` 23 h after the first try, whichever workflow run made it.
     */
    async deliverMail({ orgId, emailLogId }: MailTarget): Promise<{ notBefore: number | null }> {
      const mail = await withOrg(db, orgId, (trx) => loadMail(trx, orgId, emailLogId));
      if (mail === undefined) throw notFound(`Mail ${emailLogId} does not exist.`);
      if (mail.status !== 'pending') return { notBefore: null };
      if (mail.suppressed) {
        await withOrg(db, orgId, async (trx) =>
          markMailFailed(
            trx,
            orgId,
            emailLogId,
            'The recipient is on the suppression list. Lift the suppression to write to them again.',
            toBusiness(await readClock(trx), Date.now()),
          ),
        );
        return { notBefore: null };
      }
      if (mail.firstTriedAt === null) {
        await withOrg(db, orgId, (trx) => noteFirstTry(trx, orgId, emailLogId, Date.now()));
      } else if (Date.now() - mail.firstTriedAt > REPEATABLE_MS) {
        throw tooLateToRepeat(
          'The mail provider gave no clear answer for 23 hours, so the mail may have been sent. Look for it there before it is sent again.',
        );
      }
      try {
        const { messageId } = await email.send(outgoing(mail, mailFrom), cancellationSignal());
        await withOrg(db, orgId, async (trx) => {
          await markMailSent(trx, orgId, mail, messageId, toBusiness(await readClock(trx), Date.now()));
          const automation = AUTOMATION_BY_OBJECT[mail.relatedType];
          if (automation !== undefined) await reportAutomation(trx, automation, true, null);
        });
        return { notBefore: null };
      } catch (error) {
        if (error instanceof RequestNotYetAllowed) return { notBefore: error.notBefore };
        if (!(error instanceof ProviderError)) throw error;
        if (error.kind === 'rate_limited')
          return { notBefore: Date.now() + (error.details.retryAfterMs ?? 1_000) };
        throw providerFailure(error);
      }
    },

    /** A mail the provider refused, or would not take for 23 hours: it is marked failed and admins are told. */
    async abandonMail({ orgId, emailLogId, reason }: MailTarget & { reason: string }): Promise<void> {
      await withOrg(db, orgId, async (trx) => {
        const mail = await loadMail(trx, orgId, emailLogId);
        if (mail === undefined || mail.status !== 'pending') return;
        await markMailFailed(trx, orgId, emailLogId, reason, toBusiness(await readClock(trx), Date.now()));
        const automation = AUTOMATION_BY_OBJECT[mail.relatedType];
        if (automation !== undefined) await reportAutomation(trx, automation, false, reason);
        await notify(trx, {
          orgId,
          audience: { kind: 'admins' },
          type: 'error',
          title: 'A mail could not be sent',
          message: `"${mail.subject}": ${reason} Check the mail provider, then send it again.`,
          actionUrl: `/console/mail/${emailLogId}`,
          metadata: { email_log_id: emailLogId },
        });
      });
    },
  };
}

function outgoing(mail: StoredMail, from: string) {
  return {
    idempotencyKey: mail.id,
    from,
    to: mail.recipient,
    subject: mail.subject,
    html: mail.html,
    ...(mail.text !== null && { text: mail.text }),
    tags: [{ name: 'object', value: mail.relatedType }],
  };
}
