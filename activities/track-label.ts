/** What summaries, details, notifications and mails call a track. */
import { withoutToken } from '../domain/track-url.js';

/** The track's address in words, without the secret token of a private link: it goes into summaries and messages. */
export function addressOf(trackUrl: string): string {
  return withoutToken(trackUrl).replace(/^https:\/\//, '');
}

/** "Artist – Title", as far as they are known, else the track's address. */
export function labelOf(track: {
  artist_name: string | null;
  track_name: string | null;
  track_url: string;
}): string {
  const { artist_name: artist, track_name: title, track_url: url } = track;
  const label = artist && title ? `${artist} – ${title}` : (title ?? addressOf(url));
  return label.slice(0, 200);
}
