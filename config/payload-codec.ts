/** Optional encryption of workflow payloads: with a key, Temporal stores only ciphertext (AES-256-GCM). */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const ENCODING = 'binary/encrypted';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param key 32 bytes, base64.
 * @throws Error when the key has another length.
 */
export function createPayloadCodec(key: string): PayloadCodec {
  const secret = Buffer.from(key, 'base64');
  if (secret.length !== 32) {
    throw new Error('SPARK_PAYLOAD_KEY must be 32 bytes in base64. Make one with `openssl rand -base64 32`.');
  }
  return {
    async encode(payloads) {
      return payloads.map((payload) => encrypt(secret, payload));
    },
    async decode(payloads) {
      return payloads.map((payload) =>
        encodingOf(payload) === ENCODING ? decrypt(secret, payload) : payload,
      );
    },
  };
}

function encrypt(secret: Buffer, payload: Payload): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce);
  const plain = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: Buffer.from(ENCODING) }, data };
}

function decrypt(secret: Buffer, payload: Payload): Payload {
  const data = Buffer.from(payload.data ?? []);
  const decipher = createDecipheriv('aes-256-gcm', secret, data.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
  const plain = Buffer.concat([
    decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES)),
    decipher.final(),
  ]);
  return proto.temporal.api.common.v1.Payload.decode(plain) as Payload;
}

function encodingOf(payload: Payload): string {
  const encoding = payload.metadata?.encoding;
  return encoding ? Buffer.from(encoding).toString() : '';
}
