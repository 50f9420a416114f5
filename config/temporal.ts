/** How every process of ours reaches Temporal. */
import { fileURLToPath } from 'node:url';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { Config } from './config.js';
import { createPayloadCodec } from './payload-codec.js';

/** Task queues beside the main one, `<main>-<name>`: one for each system outside. A worker polls every one of them. */
export const PROVIDER_QUEUES = ['soundcloud', 'email', 'webhooks', 'influence-planner'] as const;
export type ProviderQueue = (typeof PROVIDER_QUEUES)[number];

/**
 * Conversion of payloads and failures, encrypted when SPARK_PAYLOAD_KEY is set. API, worker and CLI must agree on it;
 * a workflow bundle must be made with the same failure converter.
 */
export function dataConverter(config: Pick<Config, 'SPARK_PAYLOAD_KEY'>): DataConverter {
  return config.SPARK_PAYLOAD_KEY === undefined
    ? {}
    : {
        payloadCodecs: [createPayloadCodec(config.SPARK_PAYLOAD_KEY)],
        failureConverterPath: fileURLToPath(new URL('./encoded-failures.cjs', import.meta.url)),
      };
}

/**
 * A client that connects with its first call, so that a process can start while Temporal is away.
 * @param options.interceptors other gRPC retries than the SDK's, for processes that must answer soon
 */
export function createTemporalClient(
  config: Config,
  options: Pick<ConnectionOptions, 'interceptors'> = {},
): { client: Client; connection: Connection } {
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS, ...options });
  const client = new Client({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverter(config),
  });
  return { client, connection };
}
