/** The search attributes every lifecycle carries. They hold ids and states, never an e-mail address or a secret. */
import { defineSearchAttributeKey } from '@temporalio/common';

export const searchAttributes = {
  orgId: defineSearchAttributeKey('OrgId', 'KEYWORD'),
  entityId: defineSearchAttributeKey('EntityId', 'KEYWORD'),
  stage: defineSearchAttributeKey('Stage', 'KEYWORD'),
  waitingOn: defineSearchAttributeKey('WaitingOn', 'KEYWORD'),
  dueAt: defineSearchAttributeKey('DueAt', 'DATETIME'),
  breached: defineSearchAttributeKey('Breached', 'BOOL'),
} as const;
