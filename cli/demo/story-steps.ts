/** Steps of the story that wait for what the reviews do, or go past the API. */
import { demoTracks } from '../../sandbox/soundcloud/catalogue.js';
import { submissionReviewId, submissionSignals } from '../../workflows/submission-review/contract.js';
import { until } from './patience.js';
import type { Stage } from './stage.js';

const HINT = 'Look at its review in the Temporal UI and at the log of the worker.';

/** Waits until a review shows its broken promise. */
export async function reviewBreached(stage: Stage, track: string): Promise<void> {
  const { sources, signal } = stage;
  const { id } = stage.submitted(track);
  await until(
    `the review of ${track} raises the alarm`,
    async () => {
      const row = await sources.db
        .selectFrom('soundcloud_waits')
        .select('breached')
        .where('org_id', '=', sources.orgId)
        .where('workflow_id', '=', submissionReviewId(sources.orgId, id))
        .executeTakeFirst();
      return row?.breached;
    },
    { signal, hint: HINT },
  );
}

/** Everything that is under way comes to its end: mails sent, targets built, closed reviews gone. */
export async function comeToRest({ sources, signal, timeline }: Stage): Promise<void> {
  timeline.chapter(
    'Coming to rest',
    'Mails that the killed worker left behind are sent; the rest of the reviews wait for their queue.',
  );
  const { db, orgId } = sources;
  await until(
    'all events are relayed, all mails sent, all rejected reviews closed, all approved tracks have targets, all credits have moved',
    async () => {
      const mails = await db
        .selectFrom('soundcloud_email_logs')
        .select('id')
        .where('org_id', '=', orgId)
        .where('status', '=', 'pending')
        .execute();
      const events = await db
        .selectFrom('soundcloud_events')
        .select('id')
        .where('org_id', '=', orgId)
        .where('relayed_at', 'is', null)
        .execute();
      const rows = await db
        .selectFrom('soundcloud_submissions as submission')
        .select((select) => [
          'submission.status',
          'submission.closed_at',
          select
            .exists(
              select
                .selectFrom('soundcloud_target_proposals as proposal')
                .select('proposal.id')
                .whereRef('proposal.parent_id', '=', 'submission.id'),
            )
            .as('built'),
        ])
        .where('submission.org_id', '=', orgId)
        .execute();
      const holds = await db
        .selectFrom('soundcloud_credit_holds')
        .select('id')
        .where('org_id', '=', orgId)
        .where('status', '=', 'open')
        .execute();
      const resting = rows.every((row) =>
        row.status === 'approved' ? Boolean(row.built) : row.status === 'rejected' && row.closed_at !== null,
      );
      return events.length === 0 && mails.length === 0 && holds.length === 0 && resting;
    },
    {
      signal,
      withinMs: 90_000,
      hint: 'Look at the reviews in the Temporal UI and at the log of the worker.',
    },
  );
}

/** Ops ask nobody else: the support of a track ends with the reposts that stayed up. */
export async function closeSupport(stage: Stage, track: string): Promise<void> {
  const reason = 'It had its reposts; nobody else shall be asked.';
  await stage.command(
    stage.ops('moderator'),
    track,
    'close-support',
    { reason },
    `A repost of ${track} is still owed. Moderator closes it with those that stayed up.`,
  );
}

/** The artist makes a private track public on SoundCloud. @returns its public address. */
export async function publish({ sources, timeline }: Stage, track: string): Promise<string> {
  const found = demoTracks().find(({ title }) => title === track);
  if (!found) throw new Error(`The catalogue has no track ${track}.`);
  const { expected: _expected, ...input } = found;
  const [published] = await sources.sandbox.addTracks([{ ...input, secretToken: null }]);
  if (!published) throw new Error(`${track} could not be published.`);
  timeline.say('act', `${track} is made public on SoundCloud.`);
  return published.url;
}

/** Waits until reviews have read their track and wait for ops. */
export async function reviewsWait(stage: Stage, tracks: readonly string[]): Promise<void> {
  const { sources, signal } = stage;
  const ids = tracks.map((track) => stage.submitted(track).id);
  await until(
    `the reviews of ${tracks.join(', ')} wait for ops`,
    async () => {
      const rows = await sources.db
        .selectFrom('soundcloud_waits as wait')
        .innerJoin('soundcloud_submissions as submission', 'submission.id', 'wait.entity_id')
        .select('wait.entity_id')
        .where('wait.org_id', '=', sources.orgId)
        .where('wait.entity_id', 'in', ids)
        .where('wait.entity_type', '=', 'submission')
        .where('wait.waiting_on', '=', 'ops')
        .where('submission.track_urn', 'is not', null)
        .execute();
      return rows.length === ids.length;
    },
    { signal, hint: HINT },
  );
}

/** As the Temporal UI or CLI would send it; there is no answer, so the row is looked at. */
export async function decideBySignal(stage: Stage, track: string): Promise<void> {
  const { sources, signal, timeline, network } = stage;
  const { id } = stage.submitted(track);
  timeline.say('act', `Moderator approves ${track} by a Signal to its workflow, as from the Temporal UI.`);
  const handle = sources.temporal.workflow.getHandle(submissionReviewId(sources.orgId, id));
  await handle.signal(submissionSignals.decide, { by: network.people.moderator, action: 'approve' });
  await until(
    `the Signal to ${track} is applied`,
    async () => {
      const row = await sources.db
        .selectFrom('soundcloud_submissions')
        .select('status')
        .where('org_id', '=', sources.orgId)
        .where('id', '=', id)
        .executeTakeFirst();
      return row?.status === 'approved';
    },
    { signal, hint: HINT },
  );
}
