/** Registers the search attributes of the lifecycles; existing ones stay as they are. */
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';

const { IndexedValueType } = proto.temporal.api.enums.v1;

const ATTRIBUTES = {
  OrgId: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  EntityId: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Stage: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  WaitingOn: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  DueAt: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
  Breached: IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
};

/** Idempotent. @throws ServiceError when Temporal is away or forbids it. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.keys(ATTRIBUTES).filter((name) => customAttributes[name] === undefined);
  if (missing.length > 0) await registerSearchAttributes(connection, namespace, missing);
}

/** Registers search attributes that are not there yet; the time-skipping server can do this but not list them. */
export async function registerSearchAttributes(
  connection: Connection,
  namespace: string,
  names: readonly string[] = Object.keys(ATTRIBUTES),
): Promise<void> {
  const searchAttributes = Object.fromEntries(
    Object.entries(ATTRIBUTES).filter(([name]) => names.includes(name)),
  );
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
}
