/** SoundCloud as the API asks it: only for previews, under the request limits it shares with the worker. */
import type { Config } from '../config/config.js';
import type { Db } from '../db/client.js';
import { readClock } from '../db/clock.js';
import { createTakeRequestLeave } from '../db/rate-buckets.js';
import { compression } from '../domain/calendar.js';
import { bucketFor, PROVIDER_LIMITS, type ProviderLimit } from '../providers/rate-limit.js';
import { createSoundCloudClient } from '../providers/soundcloud/http-client.js';
import type { SoundCloudPort } from '../providers/soundcloud/port.js';

export interface SoundCloudAccess {
  /** False without credentials. */
  configured: boolean;
  /** The client, made at its first use: the API starts while the database is away. */
  client(): Promise<Pick<SoundCloudPort, 'resolve' | 'expandShortLink'>>;
}

export function createSoundCloudAccess(config: Config, database: Db): SoundCloudAccess {
  const { SOUNDCLOUD_CLIENT_ID: clientId, SOUNDCLOUD_CLIENT_SECRET: clientSecret } = config;
  let client: SoundCloudPort | undefined;
  return {
    configured: Boolean(clientId && clientSecret),
    async client() {
      if (client !== undefined) return client;
      const faster = compression(await readClock(database));
      const leave = (key: string, limit: ProviderLimit) =>
        createTakeRequestLeave(database, { key, ...bucketFor(limit, faster) });
      client = createSoundCloudClient({
        apiUrl: config.SOUNDCLOUD_API_URL,
        tokenUrl: config.SOUNDCLOUD_TOKEN_URL,
        shortLinkUrl: config.SOUNDCLOUD_SHORT_LINK_URL,
        clientId,
        clientSecret,
        takeLeave: leave('soundcloud', PROVIDER_LIMITS.soundcloud),
        takeTokenLeave: leave('soundcloud-token', PROVIDER_LIMITS.soundcloudToken),
      });
      return client;
    },
  };
}
