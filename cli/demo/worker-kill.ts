/**
 * The worker is killed in the middle: two decisions are applied and the provider has taken their mails, but its answers
 * never arrive; a third decision is just being sent; a member submits while no worker runs.
 */
import { hostname } from 'node:os';
import { toReal } from '../../domain/calendar.js';
import { until } from './patience.js';
import type { Stage } from './stage.js';

const MAILS_IN_FLIGHT = 2;

export async function killWorkerInTheMiddle(stage: Stage): Promise<void> {
  const { stack, sources, timeline, signal, record } = stage;
  const { db, orgId, sandbox } = sources;
  const worker = stack.service('worker');
  const moderator = stage.ops('moderator');

  await until(
    'all mails so far are sent',
    async () => {
      const rows = await db
        .selectFrom('soundcloud_email_logs')
        .select('id')
        .where('org_id', '=', orgId)
        .where('status', '=', 'pending')
        .execute();
      return rows.length === 0;
    },
    { signal, hint: 'Look at the log of the worker: the mail queue does not move.' },
  );
  const before = (await sandbox.mails()).length;
  await sandbox.addFault('mailbox', {
    kind: 'hang',
    processed: true,
    method: 'POST',
    path: '/emails',
    count: MAILS_IN_FLIGHT,
  });
  timeline.say('system', 'From now on the mail provider takes mails, but its answers get lost.');
  await Promise.all([
    stage.command(
      moderator,
      'Postcards to Nobody',
      'decide',
      { action: 'approve' },
      'Moderator approves Postcards to Nobody.',
    ),
    stage.command(
      moderator,
      'Tidal Maps',
      'decide',
      {
        action: 'reject',
        reason: 'The mix is muddy and the drop comes late; please send us the next version.',
      },
      'Moderator rejects Tidal Maps, with the reason.',
    ),
  ]);
  await until(
    'the mail provider has taken the mails of both decisions',
    async () => (await sandbox.mails()).length >= before + MAILS_IN_FLIGHT,
    { signal, hint: 'Look at the log of the worker: the mail queue does not move.' },
  );

  const { pid } = worker;
  if (pid === undefined) throw new Error('No worker runs.');
  timeline.say('act', 'Moderator approves After Hours …');
  const inFlight = stage.sendCommand(moderator, 'After Hours', 'decide', { action: 'approve' });
  // Looked at below; a refusal in between must not end the process.
  inFlight.catch(() => {});
  worker.crash();
  record.killedWorker = `${pid}@${hostname()}`;
  const from = stage.businessNow();
  timeline.say('alarm', `… and in this moment the worker (process ${pid}) is killed with SIGKILL.`);
  await stage.submit(['Rain on a Tin Roof']);
  timeline.say('system', 'No worker runs: the submission is accepted all the same, its review follows.');
  await sandbox.clearFaults('mailbox');
  const next = await until(
    'the supervisor starts the worker again',
    () => worker.pid !== undefined && worker.pid !== pid && worker.pid,
    {
      signal,
      withinMs: 120_000,
      hint: 'Look at the log of the worker (logs/worker.log in the data folder).',
    },
  );
  record.outage = { from, to: stage.businessNow() };
  const seconds = (toReal(sources.clock, record.outage.to) - toReal(sources.clock, from)) / 1_000;
  timeline.say(
    'system',
    `The supervisor has started a new worker (process ${next}) after ${seconds.toFixed(1)} s.`,
  );
  await stage.seeThrough('After Hours', 'decide', inFlight);
}
