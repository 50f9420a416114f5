/**
 * What a supporter is promised when an assignment goes out: kept with it as its price is, so that a setting that is
 * changed afterwards changes no promise.
 */
export interface AssignmentTerms {
  /** Percent of the price the network keeps. */
  feePercent: number;
  /** Hours after the slot at which the repost is taken down as planned; null = never. */
  unrepostAfterHours: number | null;
}

/** What is promised with an assignment that goes out now. */
export function currentTerms(settings: {
  fee_percent: number;
  unrepost_after_hours: number | null;
}): AssignmentTerms {
  return { feePercent: settings.fee_percent, unrepostAfterHours: settings.unrepost_after_hours };
}

/**
 * The terms an assignment went out with. Without any (no assignment, one not published yet, or by a version that kept
 * none) the settings of now count.
 */
export function termsOf(
  assignment: { fee_percent: number | null; unrepost_after_hours: number | null } | null,
  settings: { fee_percent: number; unrepost_after_hours: number | null },
): AssignmentTerms {
  if (assignment === null || assignment.fee_percent === null) return currentTerms(settings);
  return {
    feePercent: assignment.fee_percent,
    unrepostAfterHours: assignment.unrepost_after_hours,
  };
}
