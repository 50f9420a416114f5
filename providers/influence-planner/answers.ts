/** Influence Planner's JSON, read into the port's shapes. Unknown fields are ignored (providers.md). */
import { z } from 'zod';
import { storable } from '../../domain/storable-text.js';
import type { InfluencePlannerMember } from './port.js';

const text = z.string().overwrite(storable);
const someText = z.string().min(1).overwrite(storable);

/** An ISO instant, or epoch ms. */
const instant = z
  .union([z.number(), z.string()])
  .transform((value) => new Date(value).getTime())
  .refine(Number.isFinite, 'is no instant');

const status = z
  .enum(['LINKED', 'INVALID', 'PENDING', 'PENDING_APPROVAL', 'UNLINKED', 'DECLINED'])
  // A state that is new to us must not hide the members around it.
  .or(z.string().transform(() => 'UNKNOWN' as const));

const member = z
  .object({
    membership_id: z.union([someText, z.number().transform(String)]),
    status,
    user_id: someText,
    name: text.nullish(),
    image_url: text.nullish(),
    profile_url: text.nullish(),
    followers: z.number().int().nonnegative().nullish(),
    updated_at: instant,
  })
  .transform(
    (row): InfluencePlannerMember => ({
      membershipId: row.membership_id,
      status: row.status,
      userId: row.user_id,
      soundcloudUrn: urnOf(row.user_id),
      name: row.name ?? '',
      imageUrl: row.image_url ?? null,
      profileUrl: row.profile_url ?? null,
      followers: row.followers ?? null,
      updatedAt: row.updated_at,
    }),
  );

export const memberPageAnswer = z.object({
  results: z.array(member),
  last: z.boolean(),
  totalPages: z.number().int().nonnegative(),
  totalElements: z.number().int().nonnegative(),
});

export const createdAnswer = z.object({
  status: z.literal('CREATED'),
  data: z.array(someText.refine((value) => scheduleIdOf(value) !== null, 'is no calendar URL')),
});

/** The last segment of a calendar URL's path; null when it has none. */
export function scheduleIdOf(calendarUrl: string): string | null {
  if (!URL.canParse(calendarUrl)) return null;
  return new URL(calendarUrl).pathname.split('/').filter(Boolean).at(-1) ?? null;
}

const USER_ID = /^SOUNDCLOUD-USER-(\d+)$/;
const URN = /^soundcloud:users:(\d+)$/;

function urnOf(userId: string): string | null {
  const number = USER_ID.exec(userId)?.[1];
  return number === undefined ? null : `soundcloud:users:${number}`;
}

/**
 * What a schedule calls the owner of a SoundCloud profile.
 * @param urn `soundcloud:users:<n>`. @returns null for anything else.
 */
export function influencePlannerUserId(urn: string): string | null {
  const number = URN.exec(urn)?.[1];
  return number === undefined ? null : `SOUNDCLOUD-USER-${number}`;
}
