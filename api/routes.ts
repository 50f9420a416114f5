/** Every route of /v1. */
import { accountRoutes } from './accounts.js';
import { avoidListRoutes } from './avoid-list.js';
import { commandRoutes } from './commands.js';
import { creditChangeRoutes } from './credit-changes.js';
import { creditSimulationRoutes } from './credits-simulation.js';
import { genreRoutes } from './genres.js';
import { grantRoutes } from './grants.js';
import { inboxRoutes } from './inbox.js';
import { memberGenreRoutes } from './member-genres.js';
import { memberRoutes } from './members.js';
import { notificationRoutes } from './notifications.js';
import { orgRoutes } from './orgs.js';
import { proposalRoutes } from './proposals.js';
import type { Route } from './route.js';
import { scheduleRoutes } from './schedules.js';
import { settingsRoutes } from './settings.js';
import { submissionCommandRoutes } from './submission-commands.js';
import { submissionRoutes } from './submissions.js';
import { walletRoutes } from './wallets.js';

/** In the order of the documentation; a fixed path stands before one with a parameter in its place. */
export const routes: readonly Route[] = [
  ...submissionRoutes,
  ...submissionCommandRoutes,
  ...commandRoutes,
  ...inboxRoutes,
  ...proposalRoutes,
  ...scheduleRoutes,
  ...memberRoutes,
  ...accountRoutes,
  ...memberGenreRoutes,
  ...avoidListRoutes,
  ...walletRoutes,
  ...creditChangeRoutes,
  ...grantRoutes,
  ...creditSimulationRoutes,
  ...genreRoutes,
  ...settingsRoutes,
  ...notificationRoutes,
  ...orgRoutes,
];
