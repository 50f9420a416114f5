/** Where a lifecycle can be looked at in the Temporal UI. */
import { z } from 'zod';
import type { AppDeps } from './deps.js';

export const workflowLinkSchema = z
  .object({ id: z.string(), url: z.url().describe('Its page in the Temporal UI.') })
  .meta({ id: 'WorkflowLink' });

export function workflowLink(
  deps: Pick<AppDeps, 'temporalUiUrl' | 'temporal'>,
  workflowId: string,
): z.infer<typeof workflowLinkSchema> {
  const base = deps.temporalUiUrl.replace(/\/+$/u, '');
  const namespace = encodeURIComponent(deps.temporal.options.namespace);
  return {
    id: workflowId,
    url: `${base}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`,
  };
}
