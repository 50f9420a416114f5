import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPayloadCodec } from './payload-codec.js';

const key = () => randomBytes(32).toString('base64');
const payloadOf = (value: unknown) => {
  const payload = defaultPayloadConverter.toPayload(value);
  if (payload === undefined) throw new Error('no payload');
  return payload;
};

describe('payload encryption', () => {
  it('gives back what it was given, whatever it is', async () => {
    const codec = createPayloadCodec(key());
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const [decoded] = await codec.decode(await codec.encode([payloadOf(value)]));
        if (decoded === undefined) throw new Error('nothing decoded');
        expect(JSON.stringify(defaultPayloadConverter.fromPayload(decoded))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('shows nothing of the content, and never the same bytes twice', async () => {
    const codec = createPayloadCodec(key());
    const payload = payloadOf({ reason: 'a very recognisable reason' });
    const [first, second] = await codec.encode([payload, payload]);
    expect(Buffer.from(first?.data ?? []).toString('latin1')).not.toContain('recognisable');
    expect(Buffer.from(first?.data ?? []).equals(Buffer.from(second?.data ?? []))).toBe(false);
  });

  it('reads payloads from before encryption was switched on', async () => {
    const payload = payloadOf('plain');
    expect(await createPayloadCodec(key()).decode([payload])).toEqual([payload]);
  });

  it('refuses what was tampered with or written under another key', async () => {
    const codec = createPayloadCodec(key());
    const [encoded] = await codec.encode([payloadOf('secret')]);
    if (encoded?.data == null) throw new Error('nothing encoded');
    await expect(createPayloadCodec(key()).decode([encoded])).rejects.toThrow();
    const changed = Buffer.from(encoded.data);
    changed[20] = (changed[20] ?? 0) ^ 1;
    await expect(codec.decode([{ ...encoded, data: changed }])).rejects.toThrow();
  });

  it('says how to make a key when it has the wrong length', () => {
    expect(() => createPayloadCodec(randomBytes(16).toString('base64'))).toThrow(/openssl rand -base64 32/);
  });
});
