/**
 * What an org's settings may be. One list of problems for the API to answer with, none for valid settings; values of a
 * wrong type are problems too, never exceptions.
 */
import { isTimezone } from './calendar.js';
import { LAST_CUTOFF_MINUTES, NOTICE_MINUTES } from './daily-queue.js';
import { adjacencyProblems } from './genre.js';
import { ON_BREACH, type OrgSettings, TARGET_BAND_MODES } from './settings.js';
import { type SettingsProblem, thresholdProblems, tierPolicyProblems } from './tiers.js';

export type { SettingsProblem } from './tiers.js';

interface NumberRule {
  path: string;
  min: number;
  max: number;
  /** Decimals the value may have. */
  decimals: number;
}

const whole = (path: string, min: number, max: number): NumberRule => ({ path, min, max, decimals: 0 });

const YEAR_HOURS = 8_760;

const NUMBER_RULES: NumberRule[] = [
  whole('decision_sla_hours', 1, YEAR_HOURS),
  whole('proof_sla_hours', 1, YEAR_HOURS),
  whole('intake_sla_hours', 1, YEAR_HOURS),
  whole('complaint_sla_hours', 1, YEAR_HOURS),
  whole('inactivity_days', 1, 3_650),
  whole('preview_cache_days', 1, 3_650),
  { path: 'default_reach_factor', min: 0, max: 1, decimals: 3 },
  whole('reach_per_credit', 1, 1_000_000_000),
  { path: 'fee_percent', min: 0, max: 100, decimals: 2 },
  whole('four_eyes_threshold', 0, 1_000_000),
  whole('watch_hours', 1, YEAR_HOURS),
  whole('review.warn_percent', 1, 99),
  whole('review.live_link_close_days', 1, 365),
  whole('review.min_reject_words', 0, 500),
  whole('review.duplicate_days', 0, 3_650),
  whole('review.max_shifts', 1, 365),
  whole('review.proof_recheck_minutes', 10, 1_440),
  whole('review.proof_answer_hours', 1, YEAR_HOURS),
  whole('review.proof_audit_percent', 0, 100),
  whole('pacing.max_targets', 1, 1_000),
  whole('pacing.reach_min_percent', 0, 100),
  whole('pacing.reach_max_percent', 100, 1_000),
  whole('pacing.proposal_hours', 1, YEAR_HOURS),
  whole('pacing.accounts_daily_cap', 1, 24),
  whole('pacing.rolling_cap', 1, 100),
  whole('pacing.rolling_hours', 1, 168),
  whole('pacing.spacing_minutes', 0, 1_440),
  whole('pacing.track_cooldown_days', 0, 3_650),
  whole('pacing.artist_cooldown_days', 0, 3_650),
  whole('pacing.pair_cooldown_days', 0, 3_650),
  whole('pacing.reliability_days', 1, 3_650),
  { path: 'pacing.reliability_prior_completed', min: 0, max: 1_000, decimals: 3 },
  { path: 'pacing.reliability_prior_total', min: 0.001, max: 1_000, decimals: 3 },
  { path: 'pacing.rest_days', min: 0.001, max: 365, decimals: 3 },
  { path: 'pacing.rest_floor', min: 0, max: 1, decimals: 3 },
  { path: 'pacing.affinity_shared_subgenre', min: 0, max: 1, decimals: 3 },
  { path: 'pacing.affinity_same_family', min: 0, max: 1, decimals: 3 },
  whole('pacing.demote_after_syncs', 1, 365),
  whole('queue_hours.min_approval_hours', 0, 24),
  whole('queue_hours.backfill_min_hours', 0, 24),
  whole('campaign_defaults.spare_percent', 0, 1_000),
  whole('campaign_defaults.send_ahead_hours', 0, YEAR_HOURS),
  whole('campaign_defaults.attribution_days', 0, 365),
  whole('campaign_defaults.late_completion_hours', 0, YEAR_HOURS),
  whole('campaign_defaults.digest_weekday', 1, 7),
  whole('account_health.failures_until_error', 1, 365),
  whole('account_health.prompt_gap_hours', 1, YEAR_HOURS),
  whole('account_health.disconnected_alert_above', 0, 1_000_000),
  whole('account_health.full_reading_days', 1, 365),
];

const TIMES_OF_DAY = [
  'queue_hours.generate_at',
  'queue_hours.approval_cutoff',
  'queue_hours.no_generation_after',
  'queue_hours.window_start',
  'queue_hours.window_end',
  'campaign_defaults.digest_at',
];

/** Origins of Slack's incoming webhooks; what anybody else's address gets posted would leave the network, or reach into it. */
export const SLACK_ORIGINS: readonly string[] = ['https://hooks.slack.com', 'https://hooks.slack-gov.com'];

export interface SettingsRules {
  /** Origins a webhook may have besides Slack's own, as the operator configured them. */
  extraSlackOrigins?: readonly string[];
}

/** Everything that is wrong with complete settings, in a fixed order. Empty = valid. */
export function settingsProblems(settings: OrgSettings, rules: SettingsRules = {}): SettingsProblem[] {
  return [
    ...NUMBER_RULES.flatMap((rule) => numberProblem(settings, rule)),
    ...TIMES_OF_DAY.flatMap((path) => timeProblem(settings, path)),
    ...choiceProblem('target_band_mode', settings.target_band_mode, TARGET_BAND_MODES),
    ...choiceProblem('on_breach', settings.on_breach, ON_BREACH),
    ...thresholdProblems(settings.size_tier_thresholds),
    ...tierPolicyProblems(settings.tier_policy),
    ...adjacencyProblems(settings.adjacency_matrix),
    ...reviewProblems(settings),
    ...pacingProblems(settings),
    ...promptProblems(settings),
    ...queueProblems(settings),
    ...restProblems(settings),
    ...slackProblems(settings, rules.extraSlackOrigins ?? []),
  ];
}

function numberProblem(settings: OrgSettings, { path, min, max, decimals }: NumberRule): SettingsProblem[] {
  const value = at(settings, path);
  const fits =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    Number(value.toFixed(decimals)) === value;
  if (fits) return [];
  const kind = decimals === 0 ? 'a whole number' : `a number with at most ${decimals} decimals`;
  return [{ path, code: 'number_out_of_range', message: `Set ${path} to ${kind} from ${min} to ${max}.` }];
}

function timeProblem(settings: OrgSettings, path: string): SettingsProblem[] {
  if (minutesOf(at(settings, path)) !== null) return [];
  return [
    { path, code: 'not_a_time', message: `Set ${path} to a time of day as HH:mm, from 00:00 to 23:59.` },
  ];
}

function choiceProblem(path: string, value: unknown, choices: readonly string[]): SettingsProblem[] {
  if (typeof value === 'string' && choices.includes(value)) return [];
  return [{ path, code: 'not_a_choice', message: `Set ${path} to one of: ${choices.join(', ')}.` }];
}

function reviewProblems(settings: OrgSettings): SettingsProblem[] {
  const hours: unknown = settings.review?.live_link_reminder_hours;
  const path = 'review.live_link_reminder_hours';
  const valid =
    Array.isArray(hours) &&
    hours.length <= 10 &&
    hours.every((hour, i) => Number.isSafeInteger(hour) && hour > (i === 0 ? 0 : hours[i - 1]));
  if (!valid) {
    return [
      {
        path,
        code: 'not_increasing',
        message: `Set ${path} to at most 10 whole hours, each above the last.`,
      },
    ];
  }
  const closeAfter = settings.review.live_link_close_days * 24;
  if (hours.length === 0 || hours[hours.length - 1] < closeAfter) return [];
  return [
    {
      path,
      code: 'reminder_after_close',
      message: `Let every reminder come before the submission is closed after ${closeAfter} hours.`,
    },
  ];
}

function pacingProblems({ pacing }: OrgSettings): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  if (pacing?.reliability_prior_completed > pacing?.reliability_prior_total) {
    problems.push({
      path: 'pacing.reliability_prior_completed',
      code: 'prior_above_total',
      message:
        'Keep reliability_prior_completed at or below reliability_prior_total, so that nobody is above 1.',
    });
  }
  if (pacing?.affinity_same_family > pacing?.affinity_shared_subgenre) {
    problems.push({
      path: 'pacing.affinity_same_family',
      code: 'family_above_subgenre',
      message:
        'Keep affinity_same_family at or below affinity_shared_subgenre: the closer genre weighs more.',
    });
  }
  return problems;
}

function promptProblems(settings: OrgSettings): SettingsProblem[] {
  const days: unknown = settings.account_health?.prompt_days;
  const valid =
    Array.isArray(days) &&
    days.length <= 10 &&
    days.every((day, i) => Number.isSafeInteger(day) && day <= 365 && day > (i === 0 ? -1 : days[i - 1]));
  if (valid) return [];
  const path = 'account_health.prompt_days';
  const message = `Set ${path} to at most 10 whole days from 0 to 365, each above the last.`;
  return [{ path, code: 'not_increasing', message }];
}

function queueProblems({ queue_hours: hours }: OrgSettings): SettingsProblem[] {
  const order = [
    ['window_start', 'window_end', 'Let the window for slots end after it starts, on the same day.'],
    ['generate_at', 'approval_cutoff', 'Let the approval cut-off come after the generation.'],
    ['generate_at', 'no_generation_after', 'Let the end of generation come after its start.'],
  ] as const;
  const problems = order.flatMap(([earlier, later, message]): SettingsProblem[] => {
    const from = minutesOf(hours?.[earlier]);
    const to = minutesOf(hours?.[later]);
    if (from === null || to === null || from < to) return [];
    return [{ path: `queue_hours.${later}`, code: 'times_out_of_order', message }];
  });
  const cutoff = minutesOf(hours?.approval_cutoff);
  const windowEnd = minutesOf(hours?.window_end);
  if (problems.length > 0 || cutoff === null || windowEnd === null) return problems;
  if (cutoff + LAST_CUTOFF_MINUTES > windowEnd) {
    problems.push({
      path: 'queue_hours.approval_cutoff',
      code: 'no_slot_left',
      message: `Let the approval cut-off come at least ${LAST_CUTOFF_MINUTES} minutes before the window for slots ends: supporters hear of a slot ${NOTICE_MINUTES} minutes before it, and publishing takes its time.`,
    });
  }
  return problems;
}

function restProblems(settings: OrgSettings): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  if (typeof settings.timezone !== 'string' || !isTimezone(settings.timezone)) {
    problems.push({
      path: 'timezone',
      code: 'timezone_unknown',
      message: 'Set timezone to an IANA name such as Europe/Berlin or UTC.',
    });
  }
  const unrepost: unknown = settings.unrepost_after_hours;
  if (
    unrepost !== null &&
    !(Number.isInteger(unrepost) && Number(unrepost) >= 1 && Number(unrepost) <= YEAR_HOURS)
  ) {
    problems.push({
      path: 'unrepost_after_hours',
      code: 'number_out_of_range',
      message: `Set unrepost_after_hours to a whole number from 1 to ${YEAR_HOURS}, or to null for never.`,
    });
  }
  for (const path of ['slack_enabled', 'auto_schedule'] as const) {
    if (typeof settings[path] !== 'boolean') {
      problems.push({ path, code: 'not_a_choice', message: `Set ${path} to true or false.` });
    }
  }
  return problems;
}

function slackProblems(settings: OrgSettings, extraOrigins: readonly string[]): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  const path = 'slack_webhook';
  const hook: unknown = settings.slack_webhook;
  if (hook === null) {
    if (settings.slack_enabled === true) {
      const message = 'Set slack_webhook before Slack is enabled.';
      problems.push({ path, code: 'slack_without_webhook', message });
    }
  } else if (!(typeof hook === 'string' && /^https?:\/\/[^\s/]+\/\S+$/.test(hook) && URL.canParse(hook))) {
    const message = 'Set slack_webhook to the URL of an incoming webhook, or to null.';
    problems.push({ path, code: 'not_a_url', message });
  } else if (![...SLACK_ORIGINS, ...extraOrigins].includes(new URL(hook).origin)) {
    const message = `Set slack_webhook to an address that starts with ${SLACK_ORIGINS[0]}/, or to null.`;
    problems.push({ path, code: 'not_slack', message });
  }
  if (typeof settings.slack_channel !== 'string' || !/^[#@]\S{1,79}$/u.test(settings.slack_channel)) {
    problems.push({
      path: 'slack_channel',
      code: 'not_a_channel',
      message: 'Set slack_channel to a name such as #reposts.',
    });
  }
  return problems;
}

/** Minutes since midnight of `HH:mm`; null for anything else. */
function minutesOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value) : null;
  return match === null ? null : Number(match[1]) * 60 + Number(match[2]);
}

function at(settings: OrgSettings, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], settings);
}
