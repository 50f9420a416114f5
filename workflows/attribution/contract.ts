/** The public face of attribution: daily snapshots of a track's numbers. Names and ids are permanent. */
import type { GapReason } from '../../domain/attribution.js';

export const ATTRIBUTION_TYPE = 'attributionWorkflow';

export type AttributionParent = 'submission' | 'campaign';

export function attributionId(orgId: string, parentType: AttributionParent, parentId: string): string {
  return `attribution:${orgId}:${parentType}:${parentId}`;
}

export interface AttributionInput {
  orgId: string;
  parentType: AttributionParent;
  parentId: string;
  /** Set by continue-as-new only: how often the day's numbers were asked for in vain, and why there are none. */
  carried?: { failures: number; reason: GapReason };
}
