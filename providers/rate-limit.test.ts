import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketFor, PROVIDER_LIMITS } from './rate-limit.js';

test('a bucket never lets more than the limit through in any window', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5_000 }),
      fc.integer({ min: 1, max: 43_200 }),
      fc.double({ min: 1, max: 3_600, noNaN: true }),
      (requests, windowSeconds, compression) => {
        const bucket = bucketFor({ requests, windowSeconds }, compression);
        const most = bucket.capacity + bucket.refillPerSecond * windowSeconds;
        expect(most).toBeLessThanOrEqual(requests * compression * (1 + 1e-9));
        expect(bucket.capacity).toBeGreaterThanOrEqual(1);
        expect(bucket.refillPerSecond).toBeGreaterThan(0);
      },
    ),
  );
});

test('limits rise with a compressed day', () => {
  expect(bucketFor(PROVIDER_LIMITS.resend)).toEqual({ capacity: 1, refillPerSecond: 4 });
  const compressed = bucketFor(PROVIDER_LIMITS.resend, 86_400 / 60);
  expect(compressed.capacity + compressed.refillPerSecond).toBe(5 * 1_440);
});
