/**
 * What a supporter may hand in as proof (rules.md, "Proof and the watch"): the address of the track, of the own profile
 * or of the repost on it. It only says where to look; whether the repost is there is seen by looking
 * (proof-evidence.ts).
 */
import { parseTrackUrl, withoutToken } from './track-url.js';

export interface ProofSubject {
  /** Canonical addresses of the track: the submitted one and, where there is one, the public one. */
  trackUrls: readonly string[];
  /** SoundCloud handle of the supporter; null while none is known. */
  supporterHandle: string | null;
}

export type ProofUrl =
  /** `repost`: a page of the supporter's profile, such as the list of reposts. */
  | { ok: true; url: string; kind: 'track' | 'profile' | 'repost' | 'short_link' }
  | { ok: false; reason: string };

/**
 * Reads a proof's address. A short link is taken as it is: what it stands for shows when it is followed.
 * @returns the canonical address, or in words why it proves nothing about this repost. Never throws.
 */
export function readProofUrl(text: string, subject: ProofSubject): ProofUrl {
  const parsed = parseTrackUrl(text);
  if (!parsed.ok) {
    if (parsed.code === 'track_url_profile' && parsed.handle !== undefined)
      return ofProfile(text, parsed.handle, subject);
    return refuse(whyNot(parsed.code));
  }
  if (parsed.kind === 'short_link') return { ok: true, url: parsed.url, kind: 'short_link' };
  const wanted = subject.trackUrls.map(parseTrackUrl);
  // A submitted short link that nobody could follow yet says nothing of which track it is.
  const unknown = wanted.some((one) => one.ok && one.kind === 'short_link');
  const same = wanted.some((one) => one.ok && withoutToken(one.url) === withoutToken(parsed.url));
  if (same || unknown) return { ok: true, url: parsed.url, kind: 'track' };
  return refuse('This is another track.');
}

function ofProfile(text: string, handle: string, { supporterHandle }: ProofSubject): ProofUrl {
  if (supporterHandle !== null && supporterHandle.toLowerCase() !== handle)
    return refuse(`This is the profile of ${handle}, not of the supporter.`);
  const page = new RegExp(`soundcloud\\.com/${handle}/([a-z-]+)`, 'i').exec(text)?.[1]?.toLowerCase();
  const url = `https://soundcloud.com/${handle}${page === undefined ? '' : `/${page}`}`;
  return { ok: true, url, kind: page === undefined ? 'profile' : 'repost' };
}

function whyNot(code: string): string {
  if (code === 'track_url_other_host') return 'The address is not on soundcloud.com.';
  return 'The text holds no address of a track or profile on SoundCloud.';
}

function refuse(what: string): ProofUrl {
  return {
    ok: false,
    reason: `${what} Send the address of the track, of your profile, or of your repost on SoundCloud.`,
  };
}
