/** The reconciler: one Temporal Schedule for the whole installation, every ten minutes of real time. */
export const RECONCILER_TYPE = 'reconcilerWorkflow';
export const RECONCILER_ID = 'reconciler';
export const RECONCILER_EVERY_MINUTES = 10;
