/** Which proxies in front of the API are believed about where a request came from (X-Forwarded-For). */
import { isIP } from 'node:net';
import { z } from 'zod';

/** How many proxies stand in front, or the networks they are in; what Express takes as `trust proxy`. */
export type TrustedProxies = number | string[];

/** More hops than this are a mistake, and each one more lets a caller invent more. */
const MAX_HOPS = 16;

/** Reads `2` or `10.0.0.0/8, ::1`. Empty = nobody is believed. */
export const trustedProxies = z.string().transform((text, context): TrustedProxies => {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const [only] = parts;
  if (only === undefined) return 0;
  if (parts.length === 1 && /^\d+$/.test(only) && Number(only) <= MAX_HOPS) return Number(only);
  if (parts.every(isNetwork)) return parts;
  context.addIssue({
    code: 'custom',
    message: `must be the number of proxies in front (0 to ${MAX_HOPS}) or their networks, such as 10.0.0.0/8,::1`,
  });
  return z.NEVER;
});

/** An address, or one with the length of its prefix; `/0` would believe everybody. */
function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128);
}
