/** The paged lists: reposters of a track or set, reposts of a user. Pages are cut by the last row, not by a count. */
import type { Express, Request, Response } from 'express';
import { z } from 'zod';
import { bentList } from '../bent-list.js';
import type { FaultBox } from '../faults.js';
import type { Repost, RepostStore } from './reposts.js';
import { isTrack, type ResourceStore, type Track, type User } from './resources.js';

export interface ListRoutes {
  app: Express;
  faults: FaultBox;
  resources: ResourceStore;
  reposts: RepostStore;
  /** The business instant that an answer speaks of. */
  seenAt: (res: Response) => number;
  show: (row: User | Track, res: Response) => Record<string, unknown>;
}

const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  linked_partitioning: z.enum(['true', '1']).optional(),
  /** `<at>:<number>` of the last row of the page before. */
  cursor: z
    .string()
    .regex(/^-?\d+:\d+$/)
    .optional(),
  /** The API's own default leaves blocked tracks out. */
  access: z.string().default('playable,preview'),
});

export function listRoutes(routes: ListRoutes): void {
  const { app, resources, reposts, seenAt } = routes;

  app.get(['/tracks/:urn/reposters', '/playlists/:urn/reposters'], (req, res) => {
    const track = resources.byUrn(String(req.params.urn));
    const kind = req.path.startsWith('/tracks/') ? 'track' : 'set';
    if (!track || !isTrack(track) || track.kind !== kind || track.secretToken !== null) return notFound(res);
    const rows = reposts
      .ofTrack(track.urn, seenAt(res))
      .flatMap((repost) => withRow(repost, resources.byUrn(repost.userUrn)));
    answerPage(routes, req, res, rows);
  });

  app.get(['/users/:urn/reposts/tracks', '/users/:urn/reposts/playlists'], (req, res) => {
    const user = resources.byUrn(String(req.params.urn));
    const kind = req.path.endsWith('/tracks') ? 'track' : 'set';
    if (!user || isTrack(user)) return notFound(res);
    const access = listQuery.shape.access.catch('').parse(req.query.access).split(',');
    const rows = reposts
      .ofUser(user.urn, seenAt(res))
      .flatMap((repost) => withRow(repost, resources.byUrn(repost.trackUrn)))
      .filter(
        ({ row }) => isTrack(row) && row.kind === kind && (kind === 'set' || access.includes(row.access)),
      );
    answerPage(routes, req, res, rows);
  });
}

interface ListRow {
  repost: Repost;
  row: User | Track;
}

function withRow(repost: Repost, row: User | Track | undefined): ListRow[] {
  return row ? [{ repost, row }] : [];
}

function answerPage({ faults, show }: ListRoutes, req: Request, res: Response, rows: ListRow[]): void {
  const query = listQuery.safeParse(req.query);
  if (!query.success) {
    res.status(400).json({ code: 400, message: z.prettifyError(query.error) });
    return;
  }
  const { limit, cursor } = query.data;
  const [at, number] = (cursor ?? 'Infinity:0').split(':').map(Number) as [number, number];
  const older = rows.filter(({ repost }) => repost.at < at || (repost.at === at && repost.number < number));
  const page = older.slice(0, limit);
  const collection = bentList(page, ({ row }) => row.urn, faults, res).map(({ row }) => show(row, res));
  if (query.data.linked_partitioning === undefined) {
    res.json(collection);
    return;
  }
  const last = page.at(-1)?.repost;
  const more = last !== undefined && older.length > limit && !faults.find(res, 'empty');
  res.json({ collection, next_href: more ? nextHref(req, `${last.at}:${last.number}`) : null });
}

function nextHref(req: Request, cursor: string): string {
  const next = new URL(req.originalUrl, `http://${req.headers.host}`);
  next.searchParams.set('cursor', cursor);
  return next.href;
}

function notFound(res: Response): void {
  res.status(404).json({ code: 404, message: '404 - Not Found' });
}
