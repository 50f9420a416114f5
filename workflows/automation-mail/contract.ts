/** The public face of the mails an event sends through automation templates. Names and ids are permanent. */

export const AUTOMATION_MAIL_TYPE = 'automationMailWorkflow';

/** Workflow id of the mails of an event. */
export function automationMailId(orgId: string, eventId: string): string {
  return `automation-mail:${orgId}:${eventId}`;
}

export interface AutomationMailInput {
  orgId: string;
  /** Row of `soundcloud_events`. */
  eventId: string;
}

/** What became of the event, as the Temporal UI shows it. */
export interface AutomationMailResult {
  /** Mails handed over or given up; `soundcloud_automation_logs` says which. */
  mails: number;
  /** Templates that were not sent, with the reason. */
  leftOut: { template: string; reason: string }[];
}
