/** Registers the search attributes of the lifecycles; existing ones stay as they are. */
import type { ConnectionLike } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

const { IndexedValueType } = temporal.api.enums.v1;

const ATTRIBUTES = {
  OrgId: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  EntityId: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Stage: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  WaitingOn: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  DueAt: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
  Breached: IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
};

/** Idempotent. @throws ServiceError when Temporal is away or forbids it. */
export async function ensureSearchAttributes(connection: ConnectionLike, namespace: string): Promise<void> {
  const operator = (connection as { operatorService?: import('@temporalio/client').OperatorService })
    .operatorService;
  if (operator === undefined) return;
  const { customAttributes } = await operator.listSearchAttributes({ namespace });
  const missing = Object.entries(ATTRIBUTES).filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return;
  await operator.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
}
