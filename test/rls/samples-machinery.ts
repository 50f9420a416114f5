/** Sample rows: outbox, commands, keys, webhooks, imports. */
import { createHash } from 'node:crypto';
import {
  actorId,
  base,
  commonId,
  idOf,
  OWNED,
  rowId,
  type SampleOf,
  type TableSample,
  word,
} from './sample.js';
import { orgId, userId } from './world.js';

const TIME = '2026-01-01T00:00:00Z';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const submission = (of: SampleOf) => ({
  entity_type: 'submission',
  entity_id: commonId('soundcloud_submissions', of),
});

export const MACHINERY_SAMPLES: Record<string, TableSample> = {
  soundcloud_events: {
    row: (of) => ({
      ...base('soundcloud_events', of),
      type: 'submission.created',
      ...submission(of),
      occurred_at: TIME,
    }),
  },
  soundcloud_waits: {
    owners: OWNED,
    row: (of) => ({
      org_id: orgId(of.org),
      workflow_id: word(of),
      entity_type: 'submission',
      entity_id: idOf('soundcloud_submissions', of),
      stage: 'live_link',
      waiting_on: 'member',
      who_can_act: 'ops',
      how_to_act: 'decide',
      since: TIME,
    }),
  },
  soundcloud_commands: {
    row: (of) => ({ org_id: orgId(of.org), id: sha256(word(of)), workflow_id: word(of), name: 'decide' }),
  },
  // One row for the whole database: see matrix.test.ts.
  soundcloud_clock: { row: () => ({ id: true }) },
  soundcloud_rate_buckets: {
    row: (of) => ({ key: word(of), tokens: 1, capacity: 1, refill_per_second: 1, filled_at: TIME }),
  },
  soundcloud_provider_tokens: { row: (of) => ({ key: word(of) }) },
  soundcloud_ops_tasks: {
    row: (of) => ({ ...base('soundcloud_ops_tasks', of), kind: 'cancel_schedule', title: 'Cancel it' }),
  },
  soundcloud_queue_drafts: {
    row: (of) => ({
      ...base('soundcloud_queue_drafts', of),
      queue_id: commonId('soundcloud_queues', of),
      revision: of.copy === '' ? 1 : 2,
      cause: 'generated',
      generated_at: TIME,
    }),
  },
  soundcloud_preview_cache: {
    row: (of) => ({
      ...base('soundcloud_preview_cache', of),
      track_url: `https://soundcloud.com/night-ferry/${word(of)}`,
      kind: 'track',
      fetched_at: TIME,
      expires_at: TIME,
    }),
  },
  soundcloud_api_keys: {
    row: (of) => ({
      ...base('soundcloud_api_keys', of),
      name: word(of),
      secret_hash: sha256(word(of)),
      created_by: actorId(of),
    }),
  },
  soundcloud_audit_log: {
    row: (of) => ({
      ...base('soundcloud_audit_log', of),
      actor_type: 'user',
      actor_id: userId('nobody'),
      action: 'submission.decide',
      ...submission(of),
      occurred_at: TIME,
    }),
  },
  soundcloud_idempotency_keys: {
    row: (of) => ({
      org_id: orgId(of.org),
      caller: `user:${userId('nobody')}`,
      key: word(of),
      method: 'POST',
      path: '/v1/submissions',
      request_hash: sha256(word(of)),
      locked_until: TIME,
      expires_at: TIME,
    }),
  },
  soundcloud_provider_intents: {
    row: (of) => ({
      ...base('soundcloud_provider_intents', of),
      provider: 'influence-planner',
      action: 'schedule.create',
      idempotency_key: word(of),
      ...submission(of),
      request: {},
    }),
  },
  soundcloud_account_sweeps: {
    row: (of) => ({
      org_id: orgId(of.org),
      date: of.copy === '' ? '2026-01-01' : '2026-01-02',
      started_at: TIME,
      notes: [rowId('soundcloud_account_sweeps', of)],
    }),
  },
  soundcloud_ledger_checks: {
    row: (of) => ({
      org_id: orgId(of.org),
      checked_on: of.copy === '' ? '2026-01-01' : '2026-01-02',
      checked_at: TIME,
      violations: 0,
      rules: [rowId('soundcloud_ledger_checks', of)],
    }),
  },
  soundcloud_provider_cursors: {
    row: (of) => ({
      org_id: orgId(of.org),
      provider: word(of),
      read_until: TIME,
      full_sweep_on: '2026-01-01',
    }),
  },
  soundcloud_webhook_endpoints: {
    row: (of) => ({
      ...base('soundcloud_webhook_endpoints', of),
      url: 'https://hooks.test/in',
      secret_ciphertext: '\\x00',
      created_by: actorId(of),
    }),
  },
  soundcloud_webhook_deliveries: {
    row: (of) => ({
      ...base('soundcloud_webhook_deliveries', of),
      endpoint_id: commonId('soundcloud_webhook_endpoints', of),
      event_id: commonId('soundcloud_events', of),
      replay: of.copy === '' ? 0 : 1,
    }),
  },
  soundcloud_webhook_attempts: {
    row: (of) => ({
      ...base('soundcloud_webhook_attempts', of),
      delivery_id: commonId('soundcloud_webhook_deliveries', of),
      attempt_no: of.copy === '' ? 1 : 2,
    }),
  },
  soundcloud_webhook_receipts: {
    row: (of) => ({
      ...base('soundcloud_webhook_receipts', of),
      provider: 'resend',
      external_id: word(of),
      type: 'email.delivered',
      payload: {},
    }),
  },
  soundcloud_import_runs: { row: (of) => ({ ...base('soundcloud_import_runs', of), kind: 'submissions' }) },
  soundcloud_import_rows: {
    row: (of) => ({
      org_id: orgId(of.org),
      run_id: commonId('soundcloud_import_runs', of),
      row_number: of.copy === '' ? 1 : 2,
      raw: { row: rowId('soundcloud_import_rows', of) },
    }),
  },
};
