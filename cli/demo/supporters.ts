/**
 * What becomes of the reposts of a published queue: the supporters act in the stand-in of SoundCloud as the plan says,
 * hand in their proofs through the API, and everything else happens by itself.
 */
import { z } from 'zod';
import { HOUR_MS } from '../../domain/calendar.js';
import { userUrn } from '../../sandbox/soundcloud/resources.js';
import type { ApiClient } from './api-client.js';
import { UNREPOST_AFTER_HOURS, type World } from './queue-plan.js';
import type { Stage } from './stage.js';

/** A published assignment, and what becomes of it. */
export interface Repost {
  id: string;
  track: string;
  /** Handle of the supporter. */
  handle: string;
  /** Business time. */
  slotAt: number;
  world: World;
}

const HINT = 'Look at its assignment in the Temporal UI and at the log of the worker.';
/** From the slot on, as people are. */
const A_LITTLE_LATER_MS = HOUR_MS / 10;
/** Somebody who changes the mind does so within the watch. */
const REGRETS_AFTER_MS = 1.5 * HOUR_MS;
const DEADLINE_MS = 24 * HOUR_MS;

const tasks = z.object({ data: z.array(z.object({ id: z.uuid(), title: z.string() })) });

/** Plays the repost to its end, or to where nobody has to act any more. */
export async function playRepost(stage: Stage, repost: Repost): Promise<void> {
  stage.record.played.set(repost.id, repost.world);
  switch (repost.world) {
    case 'scheduled':
    case 'planned_scheduled':
    case 'absent':
      return;
    case 'skipped':
      return skip(stage, repost);
    case 'hidden':
      await listsComeBackEmpty(stage, repost);
      await repostAndProve(stage, repost);
      return judge(stage, repost);
    case 'kept':
      await repostAndProve(stage, repost);
      return completed(stage, repost);
    case 'taken_down':
      await repostAndProve(stage, repost);
      await completed(stage, repost);
      await stage.untilBusiness(repost.slotAt + REGRETS_AFTER_MS);
      return takeDown(stage, repost, ' again, within the watch');
    case 'planned':
      await repostAndProve(stage, repost);
      await completed(stage, repost);
      await stage.untilBusiness(repost.slotAt + UNREPOST_AFTER_HOURS * HOUR_MS + A_LITTLE_LATER_MS);
      return takeDown(stage, repost, `, ${UNREPOST_AFTER_HOURS} h after its slot as planned`);
  }
}

async function repostAndProve(stage: Stage, repost: Repost): Promise<void> {
  const { sources, network } = stage;
  await stage.untilBusiness(repost.slotAt + A_LITTLE_LATER_MS);
  await sources.sandbox.addRepost(repost.handle, stage.url(repost.track));
  await stage.act(
    supporter(stage, repost),
    `/v1/assignments/${repost.id}/proof`,
    { url: `https://soundcloud.com/${repost.handle}/reposts` },
    `${network.nameOf(repost.handle)} reposts ${repost.track} and hands in the proof.`,
  );
}

async function completed(stage: Stage, repost: Repost): Promise<void> {
  await stage.by(
    repost.slotAt + DEADLINE_MS,
    `the repost of ${repost.track} by ${repost.handle} is seen`,
    async () => (await statusOf(stage, repost)) === 'completed',
    HINT,
  );
}

async function takeDown(stage: Stage, repost: Repost, how: string): Promise<void> {
  await stage.sources.sandbox.removeRepost(repost.handle, stage.url(repost.track));
  stage.timeline.say(
    'act',
    `${stage.network.nameOf(repost.handle)} takes the repost of ${repost.track} down${how}.`,
  );
}

async function skip(stage: Stage, repost: Repost): Promise<void> {
  const name = stage.network.nameOf(repost.handle);
  await stage.act(
    supporter(stage, repost),
    `/v1/assignments/${repost.id}/skip`,
    { reason: 'I am away today and cannot repost it.' },
    `${name} skips the repost of ${repost.track} in time.`,
  );
}

/** SoundCloud's trouble: neither list that could show the repost shows anything. */
async function listsComeBackEmpty(stage: Stage, { track, handle }: Repost): Promise<void> {
  const lists = [
    `/users/${encodeURIComponent(userUrn(handle))}/reposts/tracks`,
    `/tracks/${encodeURIComponent(stage.urn(track))}/reposters`,
  ];
  for (const path of lists) await stage.sources.sandbox.addFault('soundcloud', { kind: 'empty', path });
  const name = stage.network.nameOf(handle);
  stage.timeline.say('system', `SoundCloud's lists of ${name} and of ${track} come back empty from now on.`);
}

/** Ops judge what SoundCloud does not show: they open the profile, and see the repost. */
async function judge(stage: Stage, repost: Repost): Promise<void> {
  const moderator = stage.ops('moderator');
  const { track, handle, id } = repost;
  const name = stage.network.nameOf(handle);
  await stage.by(
    repost.slotAt + DEADLINE_MS + HOUR_MS,
    `ops are asked to judge the repost of ${track} by ${handle}`,
    async () => {
      const path = `/v1/ops-tasks?kind=proof_unverified&entity_id=${id}`;
      const { data } = await moderator.must(tasks, 'GET', path);
      return data.length > 0;
    },
    HINT,
  );
  await stage.act(
    moderator,
    `/v1/assignments/${id}/override`,
    { outcome: 'completed', reason: 'The repost is on the profile; SoundCloud lists nothing these days.' },
    `SoundCloud's lists do not tell. Moderator opens the profile of ${name}, sees ${track}, and accepts the proof.`,
  );
  await stage.sources.sandbox.clearFaults('soundcloud');
  stage.timeline.say('system', 'SoundCloud’s lists are whole again.');
}

async function statusOf({ sources }: Stage, { id }: Repost): Promise<string | undefined> {
  const row = await sources.db
    .selectFrom('soundcloud_queue_assignments')
    .select('status')
    .where('org_id', '=', sources.orgId)
    .where('id', '=', id)
    .executeTakeFirst();
  return row?.status;
}

function supporter(stage: Stage, { handle }: Repost): ApiClient {
  return stage.network.member(handle);
}
