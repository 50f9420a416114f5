/**
 * The month's end beside the reviews: followers of two members change, one account leaves Influence Planner and comes
 * back, and on the first everybody is granted credits. The stand-ins play the outside world; the rest happens by itself.
 */
import { DAY_MS, HOUR_MS, toReal } from '../../domain/calendar.js';
import type { SandboxAdmin } from '../../sandbox/admin-client.js';
import { demoArtists } from '../../sandbox/soundcloud/catalogue.js';
import { text } from './collect.js';
import { until } from './patience.js';
import { MONTH_END } from './plan.js';
import { LINKED } from './queue-plan.js';
import type { Stage } from './stage.js';

/** Real time a sweep or a grant may take on a busy machine. */
const SLACK_REAL_MS = 60_000;
/** The sweep begins at 03:00. */
const SWEEP_AT = 3;
const SWEPT_BY_MS = 4 * HOUR_MS;
const HINT =
  'Look at the workflow account-health or grant of the day in the Temporal UI, and at the log of the worker.';

/** Who is connected at Influence Planner before the story: a few; the others have been invited and repost by hand. */
export async function chooseConnections(sandbox: SandboxAdmin): Promise<void> {
  const linked: readonly string[] = LINKED;
  await sandbox.addMembers(
    demoArtists().map(({ handle, name }) => ({
      handle,
      name,
      status: linked.includes(handle) ? ('LINKED' as const) : ('PENDING' as const),
    })),
  );
}

/** What changes outside between the sweep of the first day and that of the second. */
export async function worldChanges(stage: Stage): Promise<void> {
  const { sources, timeline, network, record } = stage;
  const { promoted, demoted, disconnected } = MONTH_END;
  await stage.by(
    stage.instant(1, SWEEP_AT) + SWEPT_BY_MS,
    'the first sweep of the accounts is through',
    async () => {
      const row = await sources.db
        .selectFrom('soundcloud_account_sweeps')
        .select('finished_at')
        .where('org_id', '=', sources.orgId)
        .where('date', '=', stage.date(1))
        .executeTakeFirst();
      return row?.finished_at != null;
    },
    HINT,
  );
  await sources.sandbox.setFollowers(promoted.handle, promoted.followers);
  await sources.sandbox.setFollowers(demoted.handle, demoted.followers);
  await sources.sandbox.setStatus(disconnected.handle, 'UNLINKED');
  record.worldChangedAt = stage.businessNow();
  timeline.say(
    'act',
    `On SoundCloud ${network.nameOf(promoted.handle)} grows to ${promoted.followers} followers, ${network.nameOf(demoted.handle)} falls to ${demoted.followers}; ${network.nameOf(disconnected.handle)} leaves Influence Planner.`,
  );
}

/** The first sweep has found both, and both have their mail; then the account is linked again. */
export async function firstSweepTold(stage: Stage): Promise<void> {
  const { timeline, network, sources } = stage;
  const { promoted, disconnected } = MONTH_END;
  await mailed(stage, promoted.handle, 'tier_promotion', 1);
  timeline.say('system', `The sweep of 03:00 promotes ${network.nameOf(promoted.handle)} at once, by mail.`);
  await mailed(stage, disconnected.handle, 'reconnect_prompt', 1);
  timeline.say(
    'system',
    `${network.nameOf(disconnected.handle)} is disconnected and asked by mail to reconnect.`,
  );
  await sources.sandbox.setStatus(disconnected.handle, 'LINKED');
  timeline.say(
    'act',
    `${network.nameOf(disconnected.handle)} links the account again; the next sweep will see it.`,
  );
}

/** The first of the month: grants after midnight, and the account is back after the sweep. */
export async function monthBegins(stage: Stage): Promise<void> {
  const { timeline, network, sources } = stage;
  const { disconnected } = MONTH_END;
  const granted = await until(
    'every member is granted the new month',
    async () => {
      const grants = await sources.db
        .selectFrom('soundcloud_repost_credit_ledger')
        .select(['change_amount', 'idempotency_key'])
        .where('org_id', '=', sources.orgId)
        .where('reference_type', '=', 'monthly_grant')
        .execute();
      const rows = grants.filter((row) => row.idempotency_key.endsWith(stage.newMonth()));
      return rows.length >= network.size && rows;
    },
    { signal: stage.signal, withinMs: within(stage, 2), hint: HINT },
  );
  const credits = granted.reduce((sum, row) => sum + row.change_amount, 0);
  timeline.say('system', `The month begins: ${granted.length} members are granted ${credits} credits.`);
  await happened(stage, disconnected.handle, 'member.reconnected', 2);
  timeline.say(
    'system',
    `${network.nameOf(disconnected.handle)} is connected again after the sweep of the day.`,
  );
}

/** A tier falls only after three sweeps below its border. */
export async function demotionCame(stage: Stage): Promise<void> {
  const { demoted } = MONTH_END;
  await happened(stage, demoted.handle, 'member.demoted', 3);
  stage.timeline.say(
    'system',
    `${stage.network.nameOf(demoted.handle)} is demoted: the third sweep in a row below the border.`,
  );
}

async function mailed(stage: Stage, handle: string, template: string, sweep: number): Promise<void> {
  const { sources, network } = stage;
  await until(
    `${handle} has the mail ${template}`,
    async () => {
      const row = await sources.db
        .selectFrom('soundcloud_email_logs')
        .select('id')
        .where('org_id', '=', sources.orgId)
        .where('template_name', '=', template)
        .where('related_object_id', '=', network.idOf(handle))
        .where('status', '!=', 'pending')
        .executeTakeFirst();
      return row !== undefined;
    },
    { signal: stage.signal, withinMs: within(stage, sweep), hint: HINT },
  );
}

async function happened(stage: Stage, handle: string, type: string, sweep: number): Promise<void> {
  const { sources, network } = stage;
  await until(
    `the event ${type} of ${handle}`,
    async () => {
      const rows = await sources.db
        .selectFrom('soundcloud_events')
        .select(['entity_id', 'data'])
        .where('org_id', '=', sources.orgId)
        .where('type', '=', type)
        .execute();
      const id = network.idOf(handle);
      return rows.some((row) => row.entity_id === id || text(row.data, 'member_id') === id);
    },
    { signal: stage.signal, withinMs: within(stage, sweep), hint: HINT },
  );
}

/** Real ms until the n-th sweep after the change should be through. */
function within(stage: Stage, sweep: number): number {
  const changedAt = stage.record.worldChangedAt ?? stage.businessNow();
  const day = Math.floor(changedAt / DAY_MS) * DAY_MS;
  const due = toReal(stage.sources.clock, day + sweep * DAY_MS + SWEPT_BY_MS);
  return Math.max(0, due - Date.now()) + SLACK_REAL_MS;
}
