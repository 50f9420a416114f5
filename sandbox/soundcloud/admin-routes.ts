/** What tests and the demo may do to the stand-in: put things in, change and remove them. */
import type { Express } from 'express';
import { z } from 'zod';
import { readAdminBody } from '../system.js';
import {
  permalinkUrl,
  type ResourceStore,
  shortLinkInput,
  trackInput,
  userChange,
  userInput,
} from './resources.js';
import type { SoundCloudPeople } from './system.js';
import type { TokenDesk } from './tokens.js';

const oneOrMany = <S extends z.ZodType>(schema: S) =>
  z.union([z.array(schema), schema.transform((one) => [one])]);

export function adminRoutes(
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
  app.patch('/_admin/users/:handle', (req, res) => {
    const change = readAdminBody(userChange, req, res);
    if (!change) return;
    const user = resources.changeUser(String(req.params.handle), change, businessNow());
    if (user) res.json({ urn: user.urn, handle: user.handle, url: permalinkUrl(user) });
    else res.status(404).json({ message: `There is no artist "${req.params.handle}".` });
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

export function repostAdminRoutes(app: Express, people: SoundCloudPeople, businessNow: () => number): void {
  const order = z.object({
    handle: z.string(),
    trackUrl: z.url(),
    /** Business epoch ms, past or future (default: now). */
    at: z.number().optional(),
  });
  const unknown = { message: 'There is no such artist, track or repost. Put artist and track in first.' };
  app.post('/_admin/reposts', (req, res) => {
    const wanted = readAdminBody(oneOrMany(order), req, res);
    if (!wanted) return;
    const done = wanted.map(({ handle, trackUrl, at }) =>
      people.repost(handle, trackUrl, at ?? businessNow()),
    );
    const all = done.every((made) => made);
    res.status(all ? 201 : 422).json(all ? {} : unknown);
  });
  app.delete('/_admin/reposts', (req, res) => {
    const wanted = readAdminBody(order, req, res);
    if (!wanted) return;
    const done = people.removeRepost(wanted.handle, wanted.trackUrl, wanted.at ?? businessNow());
    res.status(done ? 200 : 422).json(done ? {} : unknown);
  });
}
