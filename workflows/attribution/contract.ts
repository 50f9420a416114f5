/** The public face of attribution: daily snapshots of a track's numbers. Names and ids are permanent. */

export const ATTRIBUTION_TYPE = 'attributionWorkflow';

export type AttributionParent = 'submission' | 'campaign';

export function attributionId(orgId: string, parentType: AttributionParent, parentId: string): string {
  return `attribution:${orgId}:${parentType}:${parentId}`;
}

export interface AttributionInput {
  orgId: string;
  parentType: AttributionParent;
  parentId: string;
}
