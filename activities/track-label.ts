/** What summaries, details and notifications call a track. */

/** The track's address without the secret token of a private link: it goes into summaries and notifications. */
function addressOf(trackUrl: string): string {
  return trackUrl.replace(/^https:\/\//, '').replace(/\/s-[^/]+$/, '');
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
