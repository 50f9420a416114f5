/** The last requests a system saw: what was asked, never with which key, body or query value. */
import type { NextFunction, Request, Response } from 'express';
import type { FaultBox } from './faults.js';

export interface LoggedRequest {
  /** Real time, ISO. */
  at: string;
  method: string;
  path: string;
  /** Names of the query's fields. */
  query: string[];
  /** Null: the connection ended without an answer. Absent: still under way. */
  status?: number | null;
  /** Kinds of the faults that struck it. */
  faults: string[];
}

/** Older ones are forgotten; the log lives in memory only. */
const KEPT = 5_000;

export function createRequestLog(loggedPath: (path: string) => string) {
  const requests: LoggedRequest[] = [];
  return {
    note:
      (faults: FaultBox) =>
      (req: Request, res: Response, next: NextFunction): void => {
        const entry: LoggedRequest = {
          at: new Date().toISOString(),
          method: req.method,
          path: loggedPath(req.path),
          query: Object.keys(req.query),
          faults: [],
        };
        requests.push(entry);
        if (requests.length > KEPT) requests.shift();
        res.once('close', () => {
          entry.status = res.writableFinished ? res.statusCode : null;
          entry.faults = faults.of(res).map((fault) => fault.kind);
        });
        next();
      },
    /** `GET /_admin/requests?method=&path=`; a path may end in `*`. */
    list: (req: Request, res: Response): void => {
      const method = typeof req.query.method === 'string' ? req.query.method.toUpperCase() : null;
      const path = typeof req.query.path === 'string' ? req.query.path : null;
      const prefix = path?.endsWith('*') ? path.slice(0, -1) : null;
      const found = requests.filter(
        (entry) =>
          (method === null || entry.method === method) &&
          (path === null || (prefix === null ? entry.path === path : entry.path.startsWith(prefix))),
      );
      res.json({ total: found.length, requests: found });
    },
  };
}
