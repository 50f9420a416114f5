/**
 * Histories as the JSON that the Temporal UI and CLI write, so that one downloaded from an installation can be replayed
 * too. The SDK's own converter looks for protobufjs in another package's copy of it than its message types come from,
 * and refuses them; this takes both from one copy.
 */
import { createRequire } from 'node:module';
import proto from '@temporalio/proto';
import { patchProtobufRoot } from '@temporalio/proto/lib/patch-protobuf-root.js';

export type History = proto.temporal.api.history.v1.IHistory;

interface ProtoJson {
  toJson(type: unknown, message: unknown): unknown;
  fromJson(type: unknown, json: unknown, options: { ignoreUnknownFields: boolean }): unknown;
}

const here = createRequire(import.meta.url);
const beside = createRequire(here.resolve('@temporalio/proto'));
const { toJson, fromJson } = beside('protobufjs/ext/protojson') as ProtoJson;
const { History } = proto.temporal.api.history.v1;
const root = patchProtobufRoot(proto) as unknown as { lookupType(name: string): unknown };
const type = root.lookupType('temporal.api.history.v1.History');

/** @returns a JSON value. */
export function historyToJson(history: History): unknown {
  return toJson(type, History.fromObject(history));
}

/** @throws TypeError when it is no history. */
export function historyFromJson(json: unknown): History {
  return fromJson(type, json, { ignoreUnknownFields: true }) as History;
}
