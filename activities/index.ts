/** All activities, composed from what they need. Their names are permanent. */
import type { Db } from '../db/client.js';
import type { EmailPort } from '../providers/email/port.js';
import type { InfluencePlannerPort } from '../providers/influence-planner/port.js';
import type { SlackPort } from '../providers/slack/port.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { createEmailActivities } from './email.js';
import { createInfluencePlannerActivities } from './influence-planner.js';
import { createReconcilerActivities, type LifecycleStarter } from './reconciler.js';
import { createRepostScheduleActivities } from './repost-schedules.js';
import { createScheduleLookActivities } from './schedule-looks.js';
import { createScheduledStartActivities } from './scheduled-start.js';
import { createSlackActivities } from './slack.js';
import { createSoundCloudActivities } from './soundcloud.js';
import { createSubmissionActivities } from './submissions.js';

export interface ActivityDependencies {
  /** Pool of the login `spark_worker`. */
  db: Db;
  soundcloud: SoundCloudPort;
  email: EmailPort;
  influencePlanner: InfluencePlannerPort;
  slack: SlackPort;
  mailFrom: string;
  starter: LifecycleStarter;
}

/** Database activities and those of each provider; the worker polls one task queue for each group. */
export function createActivities(dependencies: ActivityDependencies) {
  return {
    database: {
      ...createSubmissionActivities(dependencies),
      ...createReconcilerActivities(dependencies),
      ...createScheduledStartActivities(dependencies),
      ...createRepostScheduleActivities(dependencies),
      abandonMail: createEmailActivities(dependencies).abandonMail,
    },
    soundcloud: {
      ...createSoundCloudActivities(dependencies),
      ...createScheduleLookActivities(dependencies),
    },
    email: { deliverMail: createEmailActivities(dependencies).deliverMail },
    webhooks: createSlackActivities(dependencies),
    influencePlanner: createInfluencePlannerActivities(dependencies),
  };
}

type Groups = ReturnType<typeof createActivities>;
export type Activities = Groups['database'] &
  Groups['soundcloud'] &
  Groups['email'] &
  Groups['webhooks'] &
  Groups['influencePlanner'];
