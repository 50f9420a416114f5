/**
 * Stands in for SoundCloud: api.soundcloud.com, the token endpoint (`/oauth/token`) and short links (`/on/<code>`), as
 * far as the product uses them. It lies on order the way the real one does: empty, stale, duplicate and missing rows.
 */
import type { Express, Request, Response } from 'express';
import { type BusinessClock, compression, DAY_MS, toBusiness } from '../../domain/calendar.js';
import { bentList } from '../bent-list.js';
import type { FaultBox } from '../faults.js';
import { type SandboxSystem, type SystemOptions, startSystem, TRANSPORT_FAULTS } from '../system.js';
import { adminRoutes, repostAdminRoutes } from './admin-routes.js';
import { listRoutes } from './lists.js';
import { RepostStore } from './reposts.js';
import {
  type Catalogue,
  countsAt,
  followersAt,
  isTrack,
  permalinkUrl,
  ResourceStore,
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

/** What people do at SoundCloud, for stand-ins that act for them. Times are business epoch ms. */
export interface SoundCloudPeople {
  user(handle: string): { urn: string; handle: string; name: string; followers: number } | undefined;
  /** By the URL of a public track or set. @returns false when there is no such artist or track. */
  repost(handle: string, trackUrl: string, at: number): boolean;
  /** May be repeated for the same instant. @returns false when no such repost stands. */
  removeRepost(handle: string, trackUrl: string, at: number): boolean;
}

export interface SoundCloudSandbox extends SandboxSystem {
  people: SoundCloudPeople;
}

export async function startSoundCloudSandbox(options: SoundCloudSandboxOptions): Promise<SoundCloudSandbox> {
  const realNow = options.now ?? Date.now;
  const businessNow = () => toBusiness(options.clock, realNow());
  const resources = new ResourceStore(options.dataDir);
  const reposts = new RepostStore(options.dataDir);
  const people = peopleOf(resources, reposts, businessNow);
  const tokens = new TokenDesk({ ...options, compression: compression(options.clock), now: realNow });
  for (const user of options.catalogue?.users ?? []) {
    if (!resources.user(user.handle)) resources.putUser(userInput.parse(user), businessNow());
  }
  for (const track of options.catalogue?.tracks ?? [])
    resources.putTrack(trackInput.parse(track), businessNow());

  const system = await startSystem(options, {
    faultKinds: [...TRANSPORT_FAULTS, 'empty', 'stale', 'duplicate', 'missing'],
    admin: (app) => {
      adminRoutes(app, resources, tokens, businessNow);
      repostAdminRoutes(app, people, businessNow);
    },
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
      apiRoutes(app, faults, resources, reposts, businessNow);
    },
    close: () => {
      resources.close();
      reposts.close();
      tokens.close();
    },
  });
  return { ...system, people };
}

function peopleOf(
  resources: ResourceStore,
  reposts: RepostStore,
  businessNow: () => number,
): SoundCloudPeople {
  const pairOf = (handle: string, trackUrl: string) => {
    const user = resources.user(handle);
    const track = URL.canParse(trackUrl) ? resources.byPath(new URL(trackUrl).pathname) : undefined;
    return user && !user.gone && track && isTrack(track) ? { user, track } : undefined;
  };
  return {
    user(handle) {
      const user = resources.user(handle);
      return user && !user.gone
        ? { urn: user.urn, handle, name: user.name, followers: followersAt(user, businessNow()) }
        : undefined;
    },
    repost(handle, trackUrl, at) {
      const pair = pairOf(handle, trackUrl);
      if (!pair) return false;
      const followers = followersAt(pair.user, at);
      reposts.add({ userUrn: pair.user.urn, trackUrn: pair.track.urn, at, followers });
      return true;
    },
    removeRepost(handle, trackUrl, at) {
      const pair = pairOf(handle, trackUrl);
      return pair !== undefined && reposts.remove(pair.user.urn, pair.track.urn, at);
    },
  };
}

function apiRoutes(
  app: Express,
  faults: FaultBox,
  resources: ResourceStore,
  reposts: RepostStore,
  businessNow: () => number,
): void {
  const seenAt = (res: Response) => businessNow() - (faults.find(res, 'stale')?.days ?? 0) * DAY_MS;
  const show = (row: User | Track, res: Response) => represent(row, { resources, reposts }, seenAt(res));
  /** Rows of a batch, which are public and of the kind that is asked for. */
  const batchOf = (req: Request, fits: (row: User | Track) => boolean) => {
    const urns = typeof req.query.urns === 'string' ? req.query.urns.split(',') : [];
    const rows = urns.slice(0, MOST_ROWS).map((urn) => resources.byUrn(urn));
    return rows.filter((row): row is User | Track => row !== undefined && fits(row));
  };

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
    const rows = batchOf(req, (row) => isTrack(row) && row.kind === 'track' && row.secretToken === null);
    res.json(bentList(rows, (row) => row.urn, faults, res).map((row) => show(row, res)));
  });
  app.get('/users', (req, res) => {
    const rows = batchOf(req, (row) => !isTrack(row));
    res.json(bentList(rows, (row) => row.urn, faults, res).map((row) => show(row, res)));
  });
  listRoutes({ app, faults, resources, reposts, seenAt, show });

  app.get(['/tracks/:urn', '/playlists/:urn', '/users/:urn'], (req, res) => {
    const row = resources.byUrn(String(req.params.urn));
    const fits = row && decodeURIComponent(req.path) === apiPath(row) && mayRead(row, req);
    if (fits) res.json(show(row, res));
    else notFound(res);
  });
}

function represent(
  row: User | Track,
  { resources, reposts }: { resources: ResourceStore; reposts: RepostStore },
  now: number,
): Record<string, unknown> {
  if (!isTrack(row)) {
    return {
      kind: 'user',
      ...userReference(row),
      followers_count: followersAt(row, now),
      reposts_count: reposts.ofUser(row.urn, now).length,
    };
  }
  const artist = resources.user(row.handle);
  const counts = countsAt(row, now, reposts.broughtTo(row.urn, now));
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
