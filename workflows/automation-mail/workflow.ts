/** Mails of one event: what enabled automation templates ask for is written once, then handed over. */
import { setCurrentDetails } from '@temporalio/workflow';
import { databaseActivities } from '../shared/activities.js';
import { createCourier } from '../shared/courier.js';
import type { AutomationMailInput, AutomationMailResult } from './contract.js';

/** The mails of an event; its id is built by `automationMailId`. */
export async function automationMailWorkflow(input: AutomationMailInput): Promise<AutomationMailResult> {
  const { orgId, eventId } = input;
  const written = await databaseActivities().writeAutomationMails.executeWithOptions({ summary: eventId }, [
    { orgId, eventId },
  ]);
  const { mails, leftOut, about } = written;
  const reasons = leftOut.map(({ template, reason }) => `- ${template}: ${reason}`);
  setCurrentDetails([`**${about}**`, '', `Mails: ${mails.length}`, ...reasons, '', '\u00a0'].join('\n'));
  const courier = createCourier(orgId, about, []);
  courier.mail(mails, about);
  await courier.done();
  return { mails: mails.length, leftOut };
}
