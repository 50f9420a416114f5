/** The last stop of every request that failed: a problem+json answer, and a log line for what is our own fault. */
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { Problem, problemHeaders } from '../problems.js';
import { databaseProblem } from '../sqlstate.js';

/** Any error as a Problem; what nobody foresaw becomes `internal`. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof URIError) return new Problem('malformed_url', { cause: error });
  return databaseProblem(error) ?? new Problem('internal', { cause: error });
}

export const routeNotFound: RequestHandler = (_request, _response, next) =>
  next(new Problem('route_not_found'));

// Express knows an error handler by its four parameters.
export const answerProblem: ErrorRequestHandler = (error: unknown, request: Request, response, next) => {
  const problem = toProblem(error);
  if (problem.status >= 500)
    request.log?.error({ err: problem.details.cause ?? problem, code: problem.code }, problem.message);
  if (response.headersSent) {
    // A stream that broke in the middle can only be cut off.
    next(error);
    return;
  }
  response
    .status(problem.status)
    .set(problemHeaders(problem))
    .type('application/problem+json')
    .send(JSON.stringify(problem.toDocument(String(request.id))));
};
