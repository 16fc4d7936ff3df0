/**
 * Every answer that is no success, in RFC 9457 form. In: whatever was thrown; out: a problem that says what to do. Bad input
 * is never a 5xx; what goes wrong inside is logged with the request's id and told without its insides.
 */
import { STATUS_CODES } from 'node:http';
import type { Problem } from '@fieldline/contract';
import { ERROR_CODES, type ErrorCode, FieldlineError, isFieldlineError, type Logger } from '@fieldline/kit';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  429: 'RATE_LIMITED',
};
/** Codes whose message may be told although the status is 5xx: they say when to come again, not what is inside. */
const TOLD: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'NOT_SUPPORTED', 'STOPPED', 'TIMEOUT']);
/** Its own message names files of the server. */
const DISK_FULL_DETAIL =
  'the server has no room left on its disk; nothing of the request was kept, send it again later';
/** A state of the server fails every request while it lasts: it is logged once in so long, not once a request. */
const STATE_LOG_INTERVAL_MS = 10_000;

/** A problem document. The type is a reference relative to the api: /problems/not-found. */
export function problemOf(code: ErrorCode | string, status: number, title: string, detail: string): Problem {
  return { type: `/problems/${code.toLowerCase().replaceAll('_', '-')}`, title, status, detail, code };
}

/** Sends a problem. */
export function sendProblem(reply: FastifyReply, problem: Problem, retryAfterSeconds?: number): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="fieldline"');
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(problem));
}

/** Makes problems of all errors of this instance. */
export function registerProblems(app: FastifyInstance, logger: Logger): void {
  const loggedMs = new Map<ErrorCode, number>();
  const isRepeated = (error: unknown): boolean => {
    if (!isFieldlineError(error) || error.status !== 503) return false;
    const now = performance.now();
    if (now - (loggedMs.get(error.code) ?? Number.NEGATIVE_INFINITY) < STATE_LOG_INTERVAL_MS) return true;
    loggedMs.set(error.code, now);
    return false;
  };
  app.setErrorHandler((error, request, reply) => {
    const { problem, retryAfterSeconds, secret } = translate(error as FastifyError, request);
    if (secret && !isRepeated(error)) {
      const { method, url, id } = request;
      const details = error instanceof FieldlineError ? error.details : {};
      logger.error({ traceId: id, method, url, err: error, details, status: problem.status }, 'request failed');
    }
    return sendProblem(reply, problem, retryAfterSeconds);
  });
}

function translate(
  error: FastifyError | FieldlineError,
  request: FastifyRequest,
): { problem: Problem; retryAfterSeconds?: number; secret: boolean } {
  if (isFieldlineError(error)) return fieldlineProblem(error, request);
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    const code = CODE_OF_STATUS[status] ?? 'BAD_REQUEST';
    const title = STATUS_CODES[status] ?? ERROR_CODES[code].title;
    return { problem: problemOf(code, status, title, requestDetail(error, request)), secret: false };
  }
  return { problem: internalProblem(request), secret: true };
}

function fieldlineProblem(
  error: FieldlineError,
  request: FastifyRequest,
): { problem: Problem; retryAfterSeconds?: number; secret: boolean } {
  const { code, status, details } = error;
  const secret = status >= 500;
  if (code === 'DISK_FULL') {
    const problem = problemOf(code, status, ERROR_CODES[code].title, DISK_FULL_DETAIL);
    return { problem, retryAfterSeconds: 1, secret };
  }
  if (secret && !TOLD.has(code)) return { problem: internalProblem(request), secret };
  const problem = problemOf(code, status, ERROR_CODES[code].title, error.message);
  if (Array.isArray(details.errors)) problem.errors = details.errors as { path: string; message: string }[];
  else if (typeof details.field === 'string') {
    problem.errors = [{ path: `body/${details.field}`, message: error.message }];
  }
  const wait = details.retryAfterSeconds;
  if (typeof wait === 'number') return { problem, retryAfterSeconds: wait, secret };
  return status === 429 || status === 503 ? { problem, retryAfterSeconds: 1, secret } : { problem, secret };
}

function internalProblem(request: FastifyRequest): Problem {
  const detail = `the server could not answer; its log has the reason under request ${request.id}`;
  return { ...problemOf('INTERNAL', 500, ERROR_CODES.INTERNAL.title, detail), instance: request.id };
}

/** Fastify's own refusals, in words that say what to do. */
function requestDetail(error: FastifyError, request: FastifyRequest): string {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return `the body of ${request.method} ${request.url} is larger than this route takes; send less at a time`;
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'this media type is not taken; send application/json';
    default:
      return error.message;
  }
}
