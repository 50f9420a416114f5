/** The lifecycles that Schedules start. An automation without an entry has no Schedule. */
import type { ScheduledAutomation } from '../../domain/scheduled-automations.js';
import type { ScheduledLifecycle } from './contract.js';

export const SCHEDULED_LIFECYCLES: Partial<Record<ScheduledAutomation, ScheduledLifecycle>> = {};
