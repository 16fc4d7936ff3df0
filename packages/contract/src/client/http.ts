/** What the generated client stands on: one request with fetch, the access token, one refresh, problems as errors. */
import type { Problem } from '../problem.ts';

export interface ClientOptions {
  /** Default: the origin of the page (''). */
  readonly baseUrl?: string;
  /** The access token to send, if there is one. Asked before each request. */
  readonly accessToken?: () => string | null | Promise<string | null>;
  /** Called once after a 401; answers with a fresh access token, or null where the user must sign in. Calls that fail for one old token share one. */
  readonly refresh?: () => Promise<string | null>;
  /** Sent as X-API-Key, for programs. */
  readonly apiKey?: string;
  readonly fetch?: typeof fetch;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** An answer that is not a success. `code` decides what to do; `problem` is the whole RFC 9457 body. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Problem;
  /** Seconds, where the server said when to come again. */
  readonly retryAfter: number | null;

  constructor(problem: Problem, retryAfter: number | null = null) {
    super(problem.detail);
    this.name = 'ProblemError';
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: object | undefined;
  readonly body?: unknown;
  readonly text?: boolean;
  /** Part of signing in: a 401 is the answer, not a reason to refresh. */
  readonly withoutRefresh?: boolean;
}

export type Send = (request: Request, options?: RequestOptions) => Promise<unknown>;

/** The function through which all methods of a client go. */
export function createSend(options: ClientOptions): Send {
  let refreshing: Promise<string | null> | null = null;
  const refreshed = (): Promise<string | null> => {
    refreshing ??= options.refresh!().finally(() => {
      refreshing = null;
    });
    return refreshing;
  };
  const current = async (): Promise<string | null> => (await options.accessToken?.()) ?? null;
  /** Another call may have refreshed while this one was under way: its token is taken, not a second one asked for. */
  const newerThan = async (sent: string | null): Promise<string | null> => {
    const token = await current();
    return token !== null && token !== sent ? token : refreshed();
  };
  return async (request, { signal } = {}) => {
    const token = await current();
    let response = await once(options, request, token, signal);
    if (response.status === 401 && options.refresh !== undefined && request.withoutRefresh !== true) {
      const fresh = await newerThan(token);
      if (fresh !== null) response = await once(options, request, fresh, signal);
    }
    if (!response.ok) throw await problemOf(response);
    if (response.status === 204) return undefined;
    return request.text === true ? response.text() : response.json();
  };
}

function once(
  options: ClientOptions,
  request: Request,
  token: string | null,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token !== null) headers.authorization = `Bearer ${token}`;
  if (options.apiKey !== undefined) headers['x-api-key'] = options.apiKey;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  const call = options.fetch ?? fetch;
  return call(`${options.baseUrl ?? ''}${request.path}${queryString(request.query)}`, {
    method: request.method,
    headers,
    credentials: 'same-origin',
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

function queryString(query: object | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null) search.append(name, String(item));
    }
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function problemOf(response: Response): Promise<ProblemError> {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  const body: unknown = await response.json().catch(() => null);
  if (typeof body === 'object' && body !== null && 'code' in body) {
    return new ProblemError(body as Problem, retryAfter);
  }
  const title = response.statusText === '' ? `HTTP ${response.status}` : response.statusText;
  const detail = `${response.url} answered ${response.status} without a problem document; is something between here and the server?`;
  return new ProblemError({ type: 'about:blank', title, status: response.status, detail, code: 'UNKNOWN' }, retryAfter);
}
