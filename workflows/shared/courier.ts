/**
 * Sends what a lifecycle owes to the outside (mails, Slack) beside the lifecycle: a provider that is down for a day
 * holds no deadline up, and nothing is lost, because what is still owed travels through continue-as-new.
 */
import { CancellationScope, condition, isCancellation, log, sleep } from '@temporalio/workflow';
import { databaseActivities, emailActivities, slackActivities } from './activities.js';
import { waitForLeave } from './request-leave.js';

export interface SlackNotice {
  /** What it concerns, as the reader knows it by now: "Artist – Title". */
  about: string;
  title: string;
  message: string;
}

export interface Courier {
  /** Mails by id of their row in `soundcloud_email_logs`, in order. */
  mail(emailLogIds: readonly string[], summary: string): void;
  slack(notice: SlackNotice): void;
  /**
   * Waits until every mail was handed over or given up.
   * @param unless something else to do: it is not waited for the rest, which is delivered beside it
   */
  done(unless?: () => boolean): Promise<void>;
  /** Stops the tours and returns the mails still owed; the caller passes them on, or back to {@link mail}. */
  handOver(): Promise<string[]>;
}

export function createCourier(orgId: string, about: string, owed: readonly string[]): Courier {
  const { abandonMail } = databaseActivities();
  const { deliverMail } = emailActivities();
  const { postToSlack } = slackActivities();
  let scope = new CancellationScope({ cancellable: true });
  const mails = [...owed];
  const summaries = new Map<string, string>();
  let touring = false;
  let slackTours = 0;

  async function tour() {
    touring = true;
    try {
      for (let id = mails[0]; id !== undefined; id = mails[0]) {
        const current = id;
        await scope.run(() => deliverOne(current));
        mails.shift();
      }
    } catch (error) {
      if (!isCancellation(error)) throw error;
    } finally {
      touring = false;
    }
  }

  async function deliverOne(emailLogId: string) {
    const summary = summaries.get(emailLogId) ?? about;
    try {
      let answer = await deliverMail.executeWithOptions({ summary }, [{ orgId, emailLogId }]);
      for (let tries = 0; answer.notBefore !== null; tries += 1) {
        await sleep(waitForLeave(answer.notBefore, tries), { summary: `request limit: ${summary}` });
        answer = await deliverMail.executeWithOptions({ summary }, [{ orgId, emailLogId }]);
      }
    } catch (error) {
      if (isCancellation(error)) throw error;
      await abandonMail.executeWithOptions({ summary: `given up: ${summary}` }, [
        { orgId, emailLogId, reason: messageOf(error) },
      ]);
    }
  }

  async function post(notice: SlackNotice) {
    slackTours += 1;
    try {
      // Not in the tours' scope: a message under way ends by itself within minutes, so a new run waits for it.
      await postToSlack.executeWithOptions({ summary: notice.title }, [{ orgId, ...notice }]);
    } catch (error) {
      if (!isCancellation(error)) log.warn('slack message not delivered', { reason: messageOf(error) });
    } finally {
      slackTours -= 1;
    }
  }

  if (mails.length > 0) void tour();

  return {
    mail(emailLogIds, summary) {
      for (const id of emailLogIds) {
        if (mails.includes(id)) continue;
        mails.push(id);
        summaries.set(id, summary);
      }
      if (!touring && mails.length > 0) void tour();
    },
    slack(notice) {
      void post(notice);
    },
    async done(unless = () => false) {
      await condition(() => (!touring && slackTours === 0) || unless());
    },
    async handOver() {
      scope.cancel();
      await condition(() => !touring && slackTours === 0);
      scope = new CancellationScope({ cancellable: true });
      return mails.splice(0);
    },
  };
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : 'unknown';
}
