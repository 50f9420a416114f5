/** Every route of /v1. */
import { accountHealthRoutes } from './account-health.js';
import { accountRoutes } from './accounts.js';
import { assignmentCommandRoutes } from './assignment-commands.js';
import { assignmentRoutes } from './assignments.js';
import { attributionRoutes } from './attribution.js';
import { automationLogRoutes } from './automation-logs.js';
import { automationTemplateRoutes } from './automation-templates.js';
import { automationRoutes } from './automations.js';
import { avoidListRoutes } from './avoid-list.js';
import { commandRoutes } from './commands.js';
import { creditChangeRoutes } from './credit-changes.js';
import { creditSimulationRoutes } from './credits-simulation.js';
import { genreRoutes } from './genres.js';
import { grantRunRoutes } from './grant-runs.js';
import { grantRoutes } from './grants.js';
import { inboxRoutes } from './inbox.js';
import { memberGenreRoutes } from './member-genres.js';
import { memberRoutes } from './members.js';
import { notificationRoutes } from './notifications.js';
import { opsTaskRoutes } from './ops-tasks.js';
import { orgRoutes } from './orgs.js';
import { previewRoutes } from './preview.js';
import { proposalRoutes } from './proposals.js';
import { queueCommandRoutes } from './queue-commands.js';
import { queueRoutes } from './queues.js';
import { reliabilityRoutes } from './reliability.js';
import type { Route } from './route.js';
import { scheduleRoutes } from './schedules.js';
import { settingsRoutes } from './settings.js';
import { submissionCommandRoutes } from './submission-commands.js';
import { submissionRoutes } from './submissions.js';
import { walletRoutes } from './wallets.js';

/** In the order of the documentation; a fixed path stands before one with a parameter in its place. */
export const routes: readonly Route[] = [
  ...previewRoutes,
  ...submissionRoutes,
  ...submissionCommandRoutes,
  ...assignmentRoutes,
  ...assignmentCommandRoutes,
  ...opsTaskRoutes,
  ...attributionRoutes,
  ...commandRoutes,
  ...inboxRoutes,
  ...proposalRoutes,
  ...queueRoutes,
  ...queueCommandRoutes,
  ...scheduleRoutes,
  ...memberRoutes,
  ...reliabilityRoutes,
  ...accountRoutes,
  ...accountHealthRoutes,
  ...automationTemplateRoutes,
  ...automationLogRoutes,
  ...memberGenreRoutes,
  ...avoidListRoutes,
  ...walletRoutes,
  ...creditChangeRoutes,
  ...grantRunRoutes,
  ...grantRoutes,
  ...creditSimulationRoutes,
  ...genreRoutes,
  ...automationRoutes,
  ...settingsRoutes,
  ...notificationRoutes,
  ...orgRoutes,
];
