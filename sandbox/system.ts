/** What all stand-ins share: an Express app on the loopback interface, faults, a request log, an admin surface. */
import { createServer } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { z } from 'zod';
import { FaultBox, type FaultKind, type FaultRequest, faultSchema } from './faults.js';
import { freePort } from './ports.js';
import { createRequestLog } from './request-log.js';

export interface SandboxSystem {
  readonly url: string;
  readonly port: number;
  /** Answers what is under way no longer, closes the port and the files. Stopping twice is stopping once. */
  stop(): Promise<void>;
}

export interface SystemOptions {
  /** Folder for this system's memory. */
  dataDir: string;
  /** Exact port; refused with an error when it is taken. */
  port?: number | undefined;
  /** Port to take when it is free, so that links survive a restart. */
  wishedPort?: number | undefined;
  /** Faults placed at the start, beside those kept from before. */
  faults?: readonly FaultRequest[] | undefined;
}

/** What a system brings: its routes, and what must be closed after it. */
export interface SystemParts {
  /** Fault kinds it can act out. */
  faultKinds: readonly FaultKind[];
  /** Path as the request log may show it (default: as it is). */
  loggedPath?: (path: string) => string;
  /** Routes under `/_admin`, never faulted or logged. */
  admin?: (app: Express) => void;
  routes: (app: Express, faults: FaultBox) => void;
  close?: () => void;
}

/** Fault kinds every system can act out, because they concern the transport only. */
export const TRANSPORT_FAULTS = [
  'latency',
  'status',
  'hang',
  'drop',
  'garbage',
] as const satisfies FaultKind[];

const HOST = '127.0.0.1';

/** Starts a system. @throws Error when the wanted port is taken. */
export async function startSystem(options: SystemOptions, parts: SystemParts): Promise<SandboxSystem> {
  const faults = new FaultBox(options.dataDir, parts.faultKinds);
  const log = createRequestLog(parts.loggedPath ?? ((path) => path));
  for (const fault of options.faults ?? []) faults.place(faultSchema.parse(fault));

  const app = express();
  app.disable('x-powered-by');
  app.use(express.json({ limit: '1mb' }), express.urlencoded({ extended: false, limit: '1mb' }));
  app.get('/_admin/requests', log.list);
  adminOfFaults(app, faults);
  parts.admin?.(app);
  app.use(log.note(faults), faults.strike);
  parts.routes(app, faults);
  app.use((_req, res) => {
    res.status(404).json({ code: 404, name: 'not_found', message: 'There is nothing at this path.' });
  });
  app.use(answerError);

  const server = createServer(app);
  const port = options.port || (await freePort(options.wishedPort));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port }, () => resolve());
  });
  let stopped: Promise<void> | null = null;
  const stop = async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    faults.close();
    parts.close?.();
  };
  return {
    url: `http://${HOST}:${port}`,
    port,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Reads a body, or answers 422 with what is wrong. For admin routes. */
export function readAdminBody<S extends z.ZodType>(
  schema: S,
  req: Request,
  res: Response,
): z.output<S> | null {
  const result = schema.safeParse(req.body);
  if (result.success) return result.data;
  res.status(422).json({ message: z.prettifyError(result.error) });
  return null;
}

function adminOfFaults(app: Express, faults: FaultBox): void {
  app.get('/_admin/faults', (_req, res) => {
    res.json({ faults: faults.list() });
  });
  app.post('/_admin/faults', (req, res) => {
    const fault = readAdminBody(faultSchema, req, res);
    if (!fault) return;
    if (!faults.kinds.includes(fault.kind)) {
      res
        .status(422)
        .json({ message: `This system cannot act out "${fault.kind}", only: ${faults.kinds.join(', ')}.` });
      return;
    }
    res.status(201).json(faults.place(fault));
  });
  app.delete('/_admin/faults', (_req, res) => {
    res.json({ cleared: faults.clear(null) });
  });
  app.delete('/_admin/faults/:id', (req, res) => {
    const cleared = faults.clear(req.params.id);
    res.status(cleared === 0 ? 404 : 200).json({ cleared });
  });
}

/** Malformed bodies and the like: the status Express gives them, as JSON and without a stack trace. */
function answerError(error: unknown, _req: Request, res: Response, _next: NextFunction): void {
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500;
  res.status(status >= 400 && status < 600 ? status : 500);
  res.json({
    name: 'invalid_request',
    message: status < 500 ? 'The request cannot be read.' : 'The stand-in failed.',
  });
}
