/** Stands in for Slack's incoming webhooks (`POST /services/T…/B…/…`) and shows what came at `GET /messages`. */
import { join } from 'node:path';
import { z } from 'zod';
import { openJournal } from '../journal.js';
import { type SandboxSystem, type SystemOptions, startSystem, TRANSPORT_FAULTS } from '../system.js';

const message = z.object({
  /** Real time, ISO. */
  at: z.string(),
  channel: z.string().nullable(),
  text: z.string(),
});
const input = z.object({ text: z.string().min(1), channel: z.string().optional() });

export type SlackSandboxMessage = z.output<typeof message>;

export async function startSlackSandbox(options: SystemOptions): Promise<SandboxSystem> {
  const journal = openJournal(join(options.dataDir, 'messages.jsonl'), message);
  const messages = [...journal.records];
  return startSystem(options, {
    faultKinds: [...TRANSPORT_FAULTS, 'empty'],
    // The path of a webhook is its secret.
    loggedPath: (path) => (path.startsWith('/services/') ? '/services/…' : path),
    routes: (app, faults) => {
      app.use(faults.pauseFirst);
      app.post('/services/:team/:hook/:secret', (req, res) => {
        const body = input.safeParse(req.body);
        if (!body.success) {
          const empty = typeof req.body === 'object' && req.body !== null && !('text' in req.body);
          res
            .status(400)
            .type('text')
            .send(empty ? 'no_text' : 'invalid_payload');
          return;
        }
        const row = {
          at: new Date().toISOString(),
          channel: body.data.channel ?? null,
          text: body.data.text,
        };
        journal.append(row);
        messages.push(row);
        res.type('text').send('ok');
      });
      app.get('/messages', (_req, res) => {
        res.json({ messages: faults.of(res).some((fault) => fault.kind === 'empty') ? [] : messages });
      });
    },
    close: () => journal.close(),
  });
}
