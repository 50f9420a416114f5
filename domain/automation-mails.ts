/** Which events send mails through automation templates (providers.md, "Two kinds"), and what those mails may say. */
import type { EventType } from './events.js';
import type { MailValue } from './mail-template.js';

/**
 * Only these are looked at, so that no other event costs a workflow. A template names those it is sent on in its
 * `trigger_events`.
 */
export const AUTOMATION_MAIL_EVENTS = [
  'member.reconnect_due',
  'member.promoted',
] as const satisfies readonly EventType[];

export type AutomationMailEvent = (typeof AUTOMATION_MAIL_EVENTS)[number];

export function sendsAutomationMail(type: string): type is AutomationMailEvent {
  return AUTOMATION_MAIL_EVENTS.some((known) => known === type);
}

/** Variables of a mail: what the event says, and what is known beside it; the latter wins. */
export function automationVariables(
  data: Record<string, unknown>,
  beside: Record<string, MailValue>,
): Record<string, MailValue> {
  const said = Object.entries(data).filter((entry): entry is [string, string | number | boolean] =>
    ['string', 'number', 'boolean'].includes(typeof entry[1]),
  );
  return { ...Object.fromEntries(said), ...beside };
}
