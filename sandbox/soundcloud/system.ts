/**
 * Stands in for SoundCloud: api.soundcloud.com, the token endpoint (`/oauth/token`) and short links (`/on/<code>`), as
 * far as the product uses them. It lies on order the way the real one does: empty, stale, duplicate and missing rows.
 */
import type { Express, Request, Response } from 'express';
import { z } from 'zod';
import { type BusinessClock, compression, DAY_MS, toBusiness } from '../../domain/calendar.js';
import type { FaultBox } from '../faults.js';
import {
  readAdminBody,
  type SandboxSystem,
  type SystemOptions,
  startSystem,
  TRANSPORT_FAULTS,
} from '../system.js';
import {
  type Catalogue,
  countsAt,
  followersAt,
  isTrack,
  permalinkUrl,
  ResourceStore,
  shortLinkInput,
  type Track,
  trackInput,
  type User,
  userInput,
} from './resources.js';
import { TokenDesk } from './tokens.js';

export interface SoundCloudSandboxOptions extends SystemOptions {
  clientId: string;
  clientSecret: string;
  clock: BusinessClock;
  /** Put in at the start, where not yet known. */
  catalogue?: Catalogue | undefined;
  /** Real epoch ms (default: the system's clock). */
  now?: (() => number) | undefined;
}

const MOST_ROWS = 50;
const oneOrMany = <S extends z.ZodType>(schema: S) =>
  z.union([z.array(schema), schema.transform((one) => [one])]);

export async function startSoundCloudSandbox(options: SoundCloudSandboxOptions): Promise<SandboxSystem> {
  const realNow = options.now ?? Date.now;
  const businessNow = () => toBusiness(options.clock, realNow());
  const resources = new ResourceStore(options.dataDir);
  const tokens = new TokenDesk({ ...options, compression: compression(options.clock), now: realNow });
  for (const user of options.catalogue?.users ?? []) {
    if (!resources.user(user.handle)) resources.putUser(userInput.parse(user), businessNow());
  }
  for (const track of options.catalogue?.tracks ?? [])
    resources.putTrack(trackInput.parse(track), businessNow());

  return startSystem(options, {
    faultKinds: [...TRANSPORT_FAULTS, 'empty', 'stale', 'duplicate', 'missing'],
    admin: (app) => adminRoutes(app, resources, tokens, businessNow),
    routes: (app, faults) => {
      app.post('/oauth/token', faults.pauseFirst, tokens.answer);
      app.get('/on/:code', faults.pauseFirst, (req, res) => {
        const target = resources.shortLink(String(req.params.code));
        if (target) res.redirect(302, target);
        else res.status(404).type('html').send('<!doctype html><title>Not found</title>');
      });
      app.use((req, res, next) => {
        if (tokens.accepts(req.headers.authorization)) next();
        else res.status(401).json({ code: 401, message: 'The access token is missing, unknown or expired.' });
      });
      app.use(faults.pauseFirst);
      apiRoutes(app, faults, resources, businessNow);
    },
    close: () => {
      resources.close();
      tokens.close();
    },
  });
}

function apiRoutes(
  app: Express,
  faults: FaultBox,
  resources: ResourceStore,
  businessNow: () => number,
): void {
  const seenAt = (res: Response) => businessNow() - (faults.find(res, 'stale')?.days ?? 0) * DAY_MS;
  const show = (row: User | Track, res: Response) => represent(row, resources, seenAt(res));

  app.get('/resolve', (req, res) => {
    const wanted =
      typeof req.query.url === 'string' && URL.canParse(req.query.url) ? new URL(req.query.url) : null;
    if (wanted === null) {
      res.status(400).json({ code: 400, message: 'The parameter url must be a URL.' });
      return;
    }
    const onSoundCloud = /^(www\.|m\.)?soundcloud\.com$/.test(wanted.hostname);
    const row = onSoundCloud ? resources.byPath(wanted.pathname) : undefined;
    if (!row) {
      notFound(res);
      return;
    }
    const location = new URL(apiPath(row), `http://${req.headers.host}`);
    if (isTrack(row) && row.secretToken !== null) location.searchParams.set('secret_token', row.secretToken);
    res.status(302).set('Location', location.href).json({ status: '302 - Found', location: location.href });
  });

  app.get('/tracks', (req, res) => {
    const urns = typeof req.query.urns === 'string' ? req.query.urns.split(',') : [];
    const known = urns.slice(0, MOST_ROWS).flatMap((urn) => {
      const row = resources.byUrn(urn);
      return row && isTrack(row) && row.kind === 'track' && row.secretToken === null ? [row] : [];
    });
    res.json(bentList(known, faults, res).map((row) => show(row, res)));
  });

  app.get(['/tracks/:urn', '/playlists/:urn', '/users/:urn'], (req, res) => {
    const row = resources.byUrn(String(req.params.urn));
    const fits = row && decodeURIComponent(req.path) === apiPath(row) && mayRead(row, req);
    if (fits) res.json(show(row, res));
    else notFound(res);
  });
}

function adminRoutes(
  app: Express,
  resources: ResourceStore,
  tokens: TokenDesk,
  businessNow: () => number,
): void {
  app.post('/_admin/users', (req, res) => {
    const users = readAdminBody(oneOrMany(userInput), req, res);
    if (!users) return;
    const rows = users.map((user) => resources.putUser(user, businessNow()));
    res
      .status(201)
      .json({ users: rows.map((row) => ({ urn: row.urn, handle: row.handle, url: permalinkUrl(row) })) });
  });
  app.post('/_admin/tracks', (req, res) => {
    const tracks = readAdminBody(oneOrMany(trackInput), req, res);
    if (!tracks) return;
    const unknown = tracks.find((track) => !resources.user(track.handle));
    if (unknown) {
      res.status(422).json({
        message: `There is no artist "${unknown.handle}". Put the artist in first: POST /_admin/users.`,
      });
      return;
    }
    const shown = tracks
      .map((track) => resources.putTrack(track, businessNow()))
      .map((row) => ({
        urn: row.urn,
        url: permalinkUrl(row),
        shortUrl: `https://on.soundcloud.com/${row.shortCode}`,
      }));
    res.status(201).json({ tracks: shown });
  });
  app.post('/_admin/short-links', (req, res) => {
    const link = readAdminBody(shortLinkInput, req, res);
    if (!link) return;
    resources.putShortLink(link);
    res.status(201).json({ url: `https://on.soundcloud.com/${link.code}` });
  });
  app.get('/_admin/catalogue', (_req, res) => {
    res.json({ ...resources.size, tokensIssued: tokens.issued });
  });
  app.delete('/_admin/tokens', (_req, res) => {
    tokens.revokeAll();
    res.status(204).end();
  });
}

/** Lists lie on order. */
function bentList(rows: Track[], faults: FaultBox, res: Response): Track[] {
  if (faults.find(res, 'empty')) return [];
  const missing = faults.find(res, 'missing');
  const left = missing
    ? rows.filter((row, index) => (missing.urns ? !missing.urns.includes(row.urn) : index % 2 === 0))
    : rows;
  return faults.find(res, 'duplicate') ? left.flatMap((row) => [row, row]) : left;
}

function represent(row: User | Track, resources: ResourceStore, now: number): Record<string, unknown> {
  if (!isTrack(row)) {
    return { kind: 'user', ...userReference(row), followers_count: followersAt(row, now), reposts_count: 0 };
  }
  const artist = resources.user(row.handle);
  const counts = countsAt(row, now);
  const common = {
    urn: row.urn,
    title: row.title,
    permalink_url: permalinkUrl(row),
    user: artist && userReference(artist),
    genre: row.genre,
    tag_list: row.tags.map((tag) => (tag.includes(' ') ? `"${tag}"` : tag)).join(' '),
    sharing: row.secretToken === null ? 'public' : 'private',
  };
  if (row.kind === 'set') {
    return {
      kind: 'playlist',
      ...common,
      likes_count: counts.likes,
      repost_count: counts.reposts,
      tracks: [],
    };
  }
  // Hidden numbers arrive as 0, which a client must not believe.
  const shown = row.revealStats ? counts : { plays: 0, likes: 0, reposts: 0, comments: 0 };
  return {
    kind: 'track',
    ...common,
    access: row.access,
    reveal_stats: row.revealStats,
    playback_count: shown.plays,
    favoritings_count: shown.likes,
    reposts_count: shown.reposts,
    comment_count: shown.comments,
  };
}

function userReference(user: User) {
  return { urn: user.urn, username: user.name, permalink: user.handle, permalink_url: permalinkUrl(user) };
}

function apiPath(row: User | Track): string {
  if (!isTrack(row)) return `/users/${row.urn}`;
  return `/${row.kind === 'set' ? 'playlists' : 'tracks'}/${row.urn}`;
}

function mayRead(row: User | Track, req: Request): boolean {
  return !isTrack(row) || row.secretToken === null || req.query.secret_token === row.secretToken;
}

function notFound(res: Response): void {
  res.status(404).json({ code: 404, message: '404 - Not Found' });
}
