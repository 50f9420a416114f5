/** One line per request. Never logged: headers, bodies, query values, and anything that looks like an e-mail address. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type HttpLogger, pinoHttp } from 'pino-http';

const QUIET = /^\/(healthz|readyz|metrics)$/u;
const EMAIL = /[^\s/@?&=]+(?:@|%40)[^\s/@?&=]+/giu;

/** The path without query and without e-mail addresses. */
export function loggablePath(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0]?.replace(EMAIL, '[e-mail]') ?? '';
}

export function createHttpLog(log: Logger): HttpLogger {
  return pinoHttp({
    logger: log,
    genReqId: (request) => request.id,
    autoLogging: { ignore: (request: IncomingMessage) => QUIET.test(loggablePath(request.url)) },
    customLogLevel: (_request, response, error) =>
      error !== undefined || response.statusCode >= 500
        ? 'error'
        : response.statusCode >= 400
          ? 'warn'
          : 'info',
    customSuccessMessage: (request, response) =>
      `${request.method} ${loggablePath(request.url)} ${response.statusCode}`,
    customErrorMessage: (request, response) =>
      `${request.method} ${loggablePath(request.url)} ${response.statusCode}`,
    serializers: {
      req: (request: IncomingMessage & { raw?: IncomingMessage }) => ({
        id: request.id,
        method: request.method,
        path: loggablePath(request.url),
      }),
      res: (response: ServerResponse) => ({ statusCode: response.statusCode }),
    },
    // A second lock: nothing above logs these, and nobody may begin to by accident.
    redact: {
      paths: [
        'req.headers',
        'res.headers',
        '*.authorization',
        '*.email',
        '*.emails',
        '*.recipient_email',
        '*.secret',
      ],
      censor: '[redacted]',
    },
  });
}
