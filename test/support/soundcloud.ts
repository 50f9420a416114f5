import { createSoundCloudClient } from '../../providers/soundcloud/http-client.js';
import type { SoundCloudPort } from '../../providers/soundcloud/port.js';
import type { World } from './world.js';

/** The SoundCloud stand-in of a world, over real HTTP, without a request limit of ours. */
export function soundCloudOf({ config }: World): SoundCloudPort {
  const takeLeave = async () => ({ allowed: true as const });
  return createSoundCloudClient({
    apiUrl: config.SOUNDCLOUD_API_URL,
    tokenUrl: config.SOUNDCLOUD_TOKEN_URL,
    shortLinkUrl: config.SOUNDCLOUD_SHORT_LINK_URL,
    clientId: config.SOUNDCLOUD_CLIENT_ID,
    clientSecret: config.SOUNDCLOUD_CLIENT_SECRET,
    takeLeave,
    takeTokenLeave: takeLeave,
  });
}
