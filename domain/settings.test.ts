import { describe, expect, it } from 'vitest';
import {
  DEFAULT_SETTINGS,
  type OrgSettings,
  type PartialSettings,
  targetingSettings,
  withDefaults,
} from './settings.js';
import { settingsProblems } from './settings-validation.js';

describe('withDefaults', () => {
  it('makes whole settings of nothing', () => {
    expect(withDefaults({})).toEqual(DEFAULT_SETTINGS);
  });

  it('keeps what is stored, group by group and tier by tier', () => {
    const settings = withDefaults({
      timezone: 'Europe/Berlin',
      pacing: { max_targets: 5 },
      tier_policy: { T2: { monthly_grant: 2, cap: 9 } },
      size_tier_thresholds: { T1: { min: 0, max: 500 } },
      adjacency_matrix: { Pop: { Rock: 0.5 }, Rock: { Pop: 0.5 } },
    });
    expect(settings.timezone).toBe('Europe/Berlin');
    expect(settings.pacing).toEqual({ ...DEFAULT_SETTINGS.pacing, max_targets: 5 });
    expect(settings.tier_policy).toEqual({
      ...DEFAULT_SETTINGS.tier_policy,
      T2: { monthly_grant: 2, cap: 9 },
    });
    expect(settings.size_tier_thresholds.T1).toEqual({ min: 0, max: 500 });
    expect(settings.adjacency_matrix).toEqual({ Pop: { Rock: 0.5 }, Rock: { Pop: 0.5 } });
  });

  it('drops what is no setting, and does not touch the defaults', () => {
    const row = { id: 'x', org_id: 'y', version: 3, review: { other: 1, max_shifts: 2 } } as PartialSettings;
    const settings = withDefaults(row);
    expect(Object.keys(settings).sort()).toEqual(Object.keys(DEFAULT_SETTINGS).sort());
    expect(Object.keys(settings.review).sort()).toEqual(Object.keys(DEFAULT_SETTINGS.review).sort());
    expect(settings.review.max_shifts).toBe(2);
    expect(DEFAULT_SETTINGS.review.max_shifts).toBe(14);
  });

  it('keeps null where it says never', () => {
    expect(withDefaults({ unrepost_after_hours: null, slack_webhook: null })).toEqual(DEFAULT_SETTINGS);
  });
});

it('hands the target builder its settings', () => {
  const settings = withDefaults({ inactivity_days: 30, pacing: { accounts_daily_cap: 1 } });
  expect(targetingSettings(settings)).toMatchObject({
    inactivity_days: 30,
    accounts_daily_cap: 1,
    max_targets: 20,
    reach_per_credit: 600,
    default_reach_factor: 0.06,
  });
});

describe('settingsProblems', () => {
  it('finds nothing wrong with the defaults', () => {
    expect(settingsProblems(DEFAULT_SETTINGS)).toEqual([]);
  });

  it.each<[string, PartialSettings]>([
    ['another zone', { timezone: 'America/New_York' }],
    ['Slack with its webhook', { slack_enabled: true, slack_webhook: 'https://hooks.slack.com/T/B/x' }],
    ['no reminders', { review: { live_link_reminder_hours: [] } }],
    ['no prompts', { account_health: { prompt_days: [] } }],
    ['other prompts', { account_health: { prompt_days: [1, 30], prompt_gap_hours: 24 } }],
    ['a planned un-repost', { unrepost_after_hours: 72 }],
    ['a fee of two decimals', { fee_percent: 12.25 }],
    ['close families', { adjacency_matrix: { Pop: { Rock: 0.3 }, Rock: { Pop: 0.3 } } }],
  ])('accepts %s', (_name, change) => {
    expect(settingsProblems(withDefaults(change))).toEqual([]);
  });

  it.each<[string, PartialSettings, string, string]>([
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 'timezone', 'timezone_unknown'],
    ['an empty zone', { timezone: '' }, 'timezone', 'timezone_unknown'],
    ['no time for a decision', { decision_sla_hours: 0 }, 'decision_sla_hours', 'number_out_of_range'],
    ['half an hour', { proof_sla_hours: 0.5 }, 'proof_sla_hours', 'number_out_of_range'],
    ['a text', { watch_hours: '48' as unknown as number }, 'watch_hours', 'number_out_of_range'],
    ['not a number', { inactivity_days: Number.NaN }, 'inactivity_days', 'number_out_of_range'],
    ['a fee above 100 %', { fee_percent: 100.01 }, 'fee_percent', 'number_out_of_range'],
    ['a fee of three decimals', { fee_percent: 0.125 }, 'fee_percent', 'number_out_of_range'],
    [
      'a factor of four decimals',
      { default_reach_factor: 0.0605 },
      'default_reach_factor',
      'number_out_of_range',
    ],
    ['a free credit', { reach_per_credit: 0 }, 'reach_per_credit', 'number_out_of_range'],
    ['no targets', { pacing: { max_targets: 0 } }, 'pacing.max_targets', 'number_out_of_range'],
    [
      'a missing number',
      { pacing: { rest_days: undefined as unknown as number, rest_floor: 2 } },
      'pacing.rest_floor',
      'number_out_of_range',
    ],
    [
      'a group of another kind',
      { queue_hours: null as unknown as OrgSettings['queue_hours'], review: { max_shifts: 0 } },
      'review.max_shifts',
      'number_out_of_range',
    ],
    [
      'an hour that does not exist',
      { queue_hours: { generate_at: '24:00' } },
      'queue_hours.generate_at',
      'not_a_time',
    ],
    [
      'an hour without minutes',
      { queue_hours: { window_end: '22' } },
      'queue_hours.window_end',
      'not_a_time',
    ],
    [
      'a window that ends before it starts',
      { queue_hours: { window_start: '22:00', window_end: '10:00' } },
      'queue_hours.window_end',
      'times_out_of_order',
    ],
    [
      'an empty window',
      { queue_hours: { window_start: '12:00', window_end: '12:00' } },
      'queue_hours.window_end',
      'times_out_of_order',
    ],
    [
      'a cut-off before the generation',
      { queue_hours: { approval_cutoff: '05:00' } },
      'queue_hours.approval_cutoff',
      'times_out_of_order',
    ],
    [
      'a cut-off that leaves no slot',
      { queue_hours: { approval_cutoff: '21:26' } },
      'queue_hours.approval_cutoff',
      'no_slot_left',
    ],
    [
      'a last generation before the first',
      { queue_hours: { no_generation_after: '06:00' } },
      'queue_hours.no_generation_after',
      'times_out_of_order',
    ],
    [
      'prompts that go back',
      { account_health: { prompt_days: [3, 3] } },
      'account_health.prompt_days',
      'not_increasing',
    ],
    [
      'a prompt before the loss',
      { account_health: { prompt_days: [-1, 3] } },
      'account_health.prompt_days',
      'not_increasing',
    ],
    [
      'half a day',
      { account_health: { prompt_days: [0.5] } },
      'account_health.prompt_days',
      'not_increasing',
    ],
    [
      'an error without a failure',
      { account_health: { failures_until_error: 0 } },
      'account_health.failures_until_error',
      'number_out_of_range',
    ],
    ['another answer to a breach', { on_breach: 'ignore' as 'approve' }, 'on_breach', 'not_a_choice'],
    ['another mode', { target_band_mode: 'random' as 'size' }, 'target_band_mode', 'not_a_choice'],
    [
      'a gap between tiers',
      { size_tier_thresholds: { T2: { min: 1_001, max: 10_000 } } },
      'size_tier_thresholds.T2.min',
      'threshold_not_contiguous',
    ],
    [
      'a cap below the grant',
      { tier_policy: { T4: { monthly_grant: 61, cap: 60 } } },
      'tier_policy.T4.cap',
      'cap_below_grant',
    ],
    [
      'closeness above 1',
      { adjacency_matrix: { Pop: { Pop: 2 } } },
      'adjacency_matrix.Pop.Pop',
      'adjacency_out_of_range',
    ],
    [
      'one-sided closeness',
      { adjacency_matrix: { Pop: { Rock: 0.3 } } },
      'adjacency_matrix.Pop.Rock',
      'adjacency_not_symmetric',
    ],
    [
      'reminders out of order',
      { review: { live_link_reminder_hours: [72, 24] } },
      'review.live_link_reminder_hours',
      'not_increasing',
    ],
    [
      'a reminder after the end',
      { review: { live_link_reminder_hours: [24, 168] } },
      'review.live_link_reminder_hours',
      'reminder_after_close',
    ],
    [
      'more than everything kept',
      { pacing: { reliability_prior_completed: 6 } },
      'pacing.reliability_prior_completed',
      'prior_above_total',
    ],
    [
      'a family closer than a subgenre',
      { pacing: { affinity_shared_subgenre: 0.5 } },
      'pacing.affinity_same_family',
      'family_above_subgenre',
    ],
    ['Slack without webhook', { slack_enabled: true }, 'slack_webhook', 'slack_without_webhook'],
    ['a webhook that is no URL', { slack_webhook: 'hooks' }, 'slack_webhook', 'not_a_url'],
    ['a nameless channel', { slack_channel: '' }, 'slack_channel', 'not_a_channel'],
    [
      'a switch that is a text',
      { auto_schedule: 'yes' as unknown as boolean },
      'auto_schedule',
      'not_a_choice',
    ],
    ['an un-repost at once', { unrepost_after_hours: 0 }, 'unrepost_after_hours', 'number_out_of_range'],
  ])('finds %s', (_name, change, path, code) => {
    const problems = settingsProblems(withDefaults(change));
    expect(problems.map((p) => [p.path, p.code])).toEqual([[path, code]]);
    expect(problems[0]?.message).toMatch(/\.$/);
  });

  it('takes a webhook of Slack or of an origin the operator named, and no other', () => {
    const problemsOf = (slack_webhook: string, ...extraSlackOrigins: string[]) =>
      settingsProblems(withDefaults({ slack_webhook }), { extraSlackOrigins }).map((p) => p.code);
    expect(problemsOf('https://hooks.slack-gov.com/services/T/B/x')).toEqual([]);
    expect(problemsOf('http://127.0.0.1:4010/services/T/B/x', 'http://127.0.0.1:4010')).toEqual([]);
    for (const hook of [
      'http://hooks.slack.com/services/T/B/x',
      'https://hooks.slack.com:8443/services/T/B/x',
      'https://hooks.slack.com.example.com/services/T/B/x',
      'https://hooks.slack.com@example.com/services/T/B/x',
      'http://169.254.169.254/latest/meta-data',
      'http://127.0.0.1:4011/services/T/B/x',
    ])
      expect(problemsOf(hook, 'http://127.0.0.1:4010'), hook).toEqual(['not_slack']);
    expect(problemsOf('https://[/services')).toEqual(['not_a_url']);
  });

  it('never throws, whatever the settings are made of', () => {
    const broken = Object.fromEntries(Object.keys(DEFAULT_SETTINGS).map((key) => [key, null]));
    expect(settingsProblems(broken as unknown as OrgSettings).length).toBeGreaterThan(40);
  });
});
