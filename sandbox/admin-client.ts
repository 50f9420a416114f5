/** Speaks to the admin surface of running stand-ins: for the demo and for tests. */
import type { FaultRequest, PlacedFault } from './faults.js';
import type { MemberInput, MemberStatus } from './influence-planner/members.js';
import type { Schedule } from './influence-planner/schedules.js';
import type { WebhookMessage } from './influence-planner/webhooks.js';
import type { Mail, MailFilter } from './mailbox/mails.js';
import type { LoggedRequest } from './request-log.js';
import type { SlackSandboxMessage } from './slack/system.js';
import type { TrackInput, UserInput } from './soundcloud/resources.js';
import type { SandboxSystemName, SandboxUrls } from './systems.js';

export interface SandboxAdmin {
  addUsers(users: readonly UserInput[]): Promise<{ urn: string; handle: string; url: string }[]>;
  addTracks(tracks: readonly TrackInput[]): Promise<{ urn: string; url: string; shortUrl: string }[]>;
  /** Followers from now on; growth stops unless it is given anew. */
  setFollowers(handle: string, followers: number, followersPerDay?: number): Promise<void>;
  /** Deletes a profile (404, its tracks too), or brings it back. */
  setGone(handle: string, gone: boolean): Promise<void>;
  /** @param at business epoch ms, past or future (default: now). A repost that stands already stays as it is. */
  addRepost(handle: string, trackUrl: string, at?: number): Promise<void>;
  /** Many at once; one of an unknown artist or track is told when the others are made. */
  addReposts(reposts: readonly { handle: string; trackUrl: string; at?: number }[]): Promise<void>;
  /** Takes a standing repost down. */
  removeRepost(handle: string, trackUrl: string, at?: number): Promise<void>;
  /** @param target null: a dead link. */
  addShortLink(code: string, target: string | null): Promise<string>;
  /** Ends all access tokens, as an app's reset does. */
  revokeTokens(): Promise<void>;
  tokensIssued(): Promise<number>;
  /** Puts members into Influence Planner, or changes their state. @returns what the API calls them. */
  addMembers(
    members: readonly MemberInput[],
  ): Promise<{ handle: string; userId: string; membershipId: string }[]>;
  setStatus(handle: string, status: MemberStatus): Promise<void>;
  /** What Influence Planner has scheduled, with the outcomes so far. */
  schedules(): Promise<Schedule[]>;
  /** Where Influence Planner's webhooks go; null: nowhere. */
  setWebhook(url: string | null): Promise<void>;
  /** Webhooks of Influence Planner, sent or waiting. */
  webhooks(): Promise<WebhookMessage[]>;
  addFault(system: SandboxSystemName, fault: FaultRequest): Promise<PlacedFault>;
  /** Requests that a fault holds go on. */
  clearFaults(system: SandboxSystemName): Promise<void>;
  /** @param path exact, or a prefix ending in `*`. */
  requests(system: SandboxSystemName, path?: string): Promise<LoggedRequest[]>;
  /** Newest first. */
  mails(filter?: MailFilter): Promise<Mail[]>;
  slackMessages(): Promise<SlackSandboxMessage[]>;
}

export function createSandboxAdmin(urls: Pick<SandboxUrls, SandboxSystemName>): SandboxAdmin {
  async function call<T>(
    system: SandboxSystemName,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<T> {
    const response = await fetch(`${urls[system]}${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`The ${system} stand-in answered ${response.status} to ${method} ${path}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  return {
    addUsers: async (users) =>
      (
        await call<{ users: { urn: string; handle: string; url: string }[] }>(
          'soundcloud',
          'POST',
          '/_admin/users',
          users,
        )
      ).users,
    addTracks: async (tracks) =>
      (
        await call<{ tracks: { urn: string; url: string; shortUrl: string }[] }>(
          'soundcloud',
          'POST',
          '/_admin/tracks',
          tracks,
        )
      ).tracks,
    setFollowers: async (handle, followers, followersPerDay = 0) => {
      await call<unknown>('soundcloud', 'PATCH', `/_admin/users/${handle}`, { followers, followersPerDay });
    },
    setGone: async (handle, gone) => {
      await call<unknown>('soundcloud', 'PATCH', `/_admin/users/${handle}`, { gone });
    },
    addRepost: async (handle, trackUrl, at) => {
      await call<unknown>('soundcloud', 'POST', '/_admin/reposts', { handle, trackUrl, at });
    },
    addReposts: async (reposts) => {
      await call<unknown>('soundcloud', 'POST', '/_admin/reposts', reposts);
    },
    removeRepost: async (handle, trackUrl, at) => {
      await call<unknown>('soundcloud', 'DELETE', '/_admin/reposts', { handle, trackUrl, at });
    },
    addShortLink: async (code, target) =>
      (await call<{ url: string }>('soundcloud', 'POST', '/_admin/short-links', { code, target })).url,
    revokeTokens: () => call<void>('soundcloud', 'DELETE', '/_admin/tokens'),
    tokensIssued: async () =>
      (await call<{ tokensIssued: number }>('soundcloud', 'GET', '/_admin/catalogue')).tokensIssued,
    addMembers: async (members) =>
      (
        await call<{ members: { handle: string; userId: string; membershipId: string }[] }>(
          'planner',
          'POST',
          '/_admin/members',
          members,
        )
      ).members,
    setStatus: async (handle, status) => {
      await call<unknown>('planner', 'PATCH', `/_admin/members/${handle}`, { status });
    },
    schedules: async () =>
      (await call<{ schedules: Schedule[] }>('planner', 'GET', '/_admin/schedules')).schedules,
    setWebhook: async (url) => {
      await call<unknown>('planner', 'PUT', '/_admin/webhook', { url });
    },
    webhooks: async () =>
      (await call<{ webhooks: WebhookMessage[] }>('planner', 'GET', '/_admin/webhooks')).webhooks,
    addFault: (system, fault) => call<PlacedFault>(system, 'POST', '/_admin/faults', fault),
    clearFaults: async (system) => {
      await call<unknown>(system, 'DELETE', '/_admin/faults');
    },
    requests: async (system, path) => {
      const query = path === undefined ? '' : `?${new URLSearchParams({ path })}`;
      return (await call<{ requests: LoggedRequest[] }>(system, 'GET', `/_admin/requests${query}`)).requests;
    },
    mails: async (filter = {}) => {
      const given = Object.entries(filter).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      const query = new URLSearchParams([...given, ['limit', '10000']]);
      return (await call<{ mails: Mail[] }>('mailbox', 'GET', `/mailbox?${query}`)).mails;
    },
    slackMessages: async () =>
      (await call<{ messages: SlackSandboxMessage[] }>('slack', 'GET', '/messages')).messages,
  };
}
