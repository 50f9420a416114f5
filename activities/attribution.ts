/** Database activities of attribution: one transaction each. */
import {
  type AttributionParent,
  type AttributionRow,
  gapsOf,
  keepPlan,
  listSnapshots,
  loadParentFacts,
  lockAttribution,
  moveStart,
  type ParentFacts,
} from '../db/attribution.js';
import { type Db, type Trx, withOrg } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { notify } from '../db/notifications.js';
import { loadSettings } from '../db/settings.js';
import { clearWait, saveWait } from '../db/waits.js';
import type { GapReason } from '../domain/attribution.js';
import {
  type AttributionStep,
  attributionWait,
  GAPS_BEFORE_ALERT,
  gapsInARow,
  lastDateOfCampaign,
  lastDateOfSubmission,
  nextAttributionStep,
} from '../domain/attribution-plan.js';
import { type BusinessClock, dateOf } from '../domain/calendar.js';
import type { OrgSettings } from '../domain/settings.js';
import { notFound } from './failures.js';

export interface AttributionTarget {
  orgId: string;
  parentType: AttributionParent;
  parentId: string;
  workflowId: string;
}

export type AttributionOpening =
  | { tracked: false }
  | { tracked: true; label: string; clock: BusinessClock; timezone: string };

export interface AttributionPlan {
  step: AttributionStep;
  timezone: string;
  /** Two days in a row without numbers, told once a day and org; null when there is nothing (new) to tell. */
  alert: { title: string; message: string } | null;
}

export function createAttributionActivities({ db }: { db: Db }) {
  return {
    /** What a run must know before it plans. `tracked: false`: closed, or without a start date there is nothing to do. */
    async openAttribution(target: AttributionTarget): Promise<AttributionOpening> {
      const { orgId, parentType, parentId } = target;
      return withOrg(db, orgId, async (trx) => {
        const facts = await parentFacts(trx, target);
        const row = await trx
          .selectFrom('soundcloud_attributions')
          .select('closed_at')
          .where('org_id', '=', orgId)
          .where('parent_type', '=', parentType)
          .where('parent_id', '=', parentId)
          .executeTakeFirst();
        if (facts.startDate === null || (row !== undefined && row.closed_at !== null))
          return { tracked: false };
        const { timezone } = await loadSettings(trx, orgId);
        return { tracked: true, label: facts.label, clock: await readClock(trx), timezone };
      });
    },

    /**
     * Looks at the rows and says what is to be done: days that are over are given up, a moved start renumbers, the last
     * day closes. Repeated it finds its own work and says the same. @param reason why the days given up have no numbers.
     */
    async planAttribution(
      input: AttributionTarget & { now: number; reason: GapReason },
    ): Promise<AttributionPlan> {
      const { orgId, workflowId, parentType, parentId, now, reason } = input;
      return withOrg(db, orgId, async (trx) => {
        const settings = await loadSettings(trx, orgId);
        const { timezone } = settings;
        const parent = await parentFacts(trx, input);
        const today = dateOf(now, timezone);
        const startDate = parent.startDate ?? today;
        const row = await lockAttribution(trx, {
          orgId,
          parentType,
          parentId,
          startDate,
          today,
          baselineBy: parent.type === 'submission' ? parent.firstSlotAt : null,
        });
        // A submission's start is history once its queue is published; a campaign's may be moved.
        const moved = parent.type === 'campaign' && String(row.start_date) !== startDate;
        if (moved) await moveStart(trx, row, startDate);
        const facts = await planFacts(trx, row, parent, settings, moved ? startDate : String(row.start_date));
        const step: AttributionStep =
          row.closed_at === null ? nextAttributionStep(facts, now, timezone) : { kind: 'ended', missed: [] };
        const gaps = [...facts.gaps, ...step.missed.map((date) => ({ date, reason }))];
        const ended = step.kind === 'ended';
        if (row.closed_at === null)
          await keepPlan(trx, row, { gaps, lastDate: facts.lastDate, closedAt: ended ? now : null });
        const key = { orgId, workflowId, entityType: 'attribution', entityId: parentId };
        if (ended) await clearWait(trx, orgId, workflowId);
        else await saveWait(trx, key, attributionWait(step, now));
        const inARow = gapsInARow({ captured: facts.captured, gaps });
        const alert =
          step.missed.length > 0 && inARow >= GAPS_BEFORE_ALERT
            ? await tellOfGaps(trx, input, parent.label, inARow, reason)
            : null;
        return { step, timezone, alert };
      });
    },
  };
}

async function planFacts(
  trx: Trx,
  row: AttributionRow,
  parent: ParentFacts,
  settings: OrgSettings,
  startDate: string,
) {
  const parentType = row.parent_type as AttributionParent;
  const snapshots = await listSnapshots(trx, row.org_id, parentType, row.parent_id);
  const firstDate = String(row.first_date);
  return {
    startDate,
    firstDate: firstDate < startDate ? firstDate : startDate,
    lastDate: lastDateOf(parent, settings, startDate),
    captured: new Set(snapshots.map((snapshot) => String(snapshot.snapshot_date))),
    gaps: gapsOf(row),
  };
}

function lastDateOf(parent: ParentFacts, settings: OrgSettings, startDate: string): string | null {
  const attributionDays = settings.campaign_defaults.attribution_days;
  const { timezone } = settings;
  if (parent.type === 'submission') {
    const { open, lastRepostAt } = parent;
    return lastDateOfSubmission({ open, startDate, lastRepostAt, attributionDays, timezone });
  }
  const { endDate, attributionEndDate, cancelledAt } = parent;
  const cancelledOn = cancelledAt === null ? null : dateOf(cancelledAt, timezone);
  return lastDateOfCampaign({ endDate, attributionEndDate, attributionDays, cancelledOn });
}

const WHY: Readonly<Record<GapReason, string>> = {
  provider_unavailable: 'SoundCloud did not answer',
  track_not_found: 'SoundCloud knows no such track',
  not_configured: 'there are no SoundCloud credentials',
  not_asked: 'no worker ran',
};

/** One message a day and org, whichever track comes first: when SoundCloud is away all of them have gaps. */
async function tellOfGaps(
  trx: Trx,
  target: AttributionTarget & { now: number },
  label: string,
  days: number,
  reason: GapReason,
): Promise<AttributionPlan['alert']> {
  const title = 'Attribution has gaps';
  const message = `${label}: no numbers for ${days} days in a row, because ${WHY[reason]}. Other tracks may be concerned too. Enter what you can read by hand (POST /v1/snapshots); days stay missing otherwise.`;
  const told = await notify(trx, {
    orgId: target.orgId,
    audience: { kind: 'ops' },
    type: 'warning',
    title,
    message,
    actionUrl: `/console/${target.parentType}s/${target.parentId}`,
    metadata: { parent_type: target.parentType, parent_id: target.parentId, reason, days },
    dedupeKey: `attribution-gaps:${reason}:${new Date(target.now).toISOString().slice(0, 10)}`,
  });
  return told > 0 ? { title, message } : null;
}

async function parentFacts(trx: Trx, target: AttributionTarget): Promise<ParentFacts> {
  const { orgId, parentType, parentId } = target;
  const facts = await loadParentFacts(trx, orgId, parentType, parentId);
  if (facts === undefined) throw notFound(`There is no ${parentType} ${parentId} in org ${orgId}.`);
  return facts;
}
