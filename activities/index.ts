/** All activities, composed from what they need. Their names are permanent. */
import type { Db } from '../db/client.js';
import type { ScheduledAutomation } from '../domain/scheduled-automations.js';
import type { EmailPort } from '../providers/email/port.js';
import type { InfluencePlannerPort } from '../providers/influence-planner/port.js';
import type { SlackPort } from '../providers/slack/port.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';
import { createAccountProfileActivities } from './account-profiles.js';
import { createAccountSweepActivities } from './account-sweeps.js';
import { createAssignmentActivities } from './assignments.js';
import { createAttributionActivities } from './attribution.js';
import { createAttributionCaptureActivities } from './attribution-capture.js';
import { createAutomationMailActivities } from './automation-mails.js';
import { createEmailActivities } from './email.js';
import { createGrantActivities } from './grants.js';
import { createInfluencePlannerActivities } from './influence-planner.js';
import { createPlannerMemberActivities } from './planner-members.js';
import { createProofActivities } from './proof.js';
import { createQueueActivities } from './queue.js';
import { createReconcilerActivities, type LifecycleStarter } from './reconciler.js';
import { createRepostScheduleActivities } from './repost-schedules.js';
import { createScheduleLookActivities } from './schedule-looks.js';
import { createScheduledStartActivities } from './scheduled-start.js';
import { createSlackActivities } from './slack.js';
import { createSoundCloudActivities } from './soundcloud.js';
import { createSubmissionSupportActivities } from './submission-support.js';
import { createSubmissionActivities } from './submissions.js';

export interface ActivityDependencies {
  /** Pool of the login `spark_worker`. */
  db: Db;
  soundcloud: SoundCloudPort;
  email: EmailPort;
  influencePlanner: InfluencePlannerPort;
  slack: SlackPort;
  mailFrom: string;
  /** Where people find the product, for links in mails. */
  publicUrl: string;
  /** Where members reconnect an account. */
  reconnectUrl: string;
  starter: LifecycleStarter;
  /** The automations that have a Schedule here. */
  scheduled: readonly ScheduledAutomation[];
}

/** Database activities and those of each provider; the worker polls one task queue for each group. */
export function createActivities(dependencies: ActivityDependencies) {
  return {
    database: {
      ...createSubmissionActivities(dependencies),
      ...createQueueActivities(dependencies),
      ...createAssignmentActivities(dependencies),
      ...createSubmissionSupportActivities(dependencies),
      ...createAttributionActivities(dependencies),
      ...createReconcilerActivities(dependencies),
      ...createScheduledStartActivities(dependencies),
      ...createGrantActivities(dependencies),
      ...createRepostScheduleActivities(dependencies),
      ...createAccountSweepActivities(dependencies),
      ...createAutomationMailActivities(dependencies),
      abandonMail: createEmailActivities(dependencies).abandonMail,
    },
    soundcloud: {
      ...createSoundCloudActivities(dependencies),
      ...createProofActivities(dependencies),
      ...createAttributionCaptureActivities(dependencies),
      ...createScheduleLookActivities(dependencies),
      ...createAccountProfileActivities(dependencies),
    },
    email: { deliverMail: createEmailActivities(dependencies).deliverMail },
    webhooks: createSlackActivities(dependencies),
    influencePlanner: {
      ...createInfluencePlannerActivities(dependencies),
      ...createPlannerMemberActivities(dependencies),
    },
  };
}

type Groups = ReturnType<typeof createActivities>;
export type Activities = Groups['database'] &
  Groups['soundcloud'] &
  Groups['email'] &
  Groups['webhooks'] &
  Groups['influencePlanner'];
