/** The api's settings with their defaults. Every limit has its name here. */

/** Requests a minute for one caller (user, API key, or address where nobody is signed in); null = not counted. */
export interface RequestBudgets {
  readonly login: number | null;
  readonly general: number | null;
  readonly timeSeries: number | null;
  readonly ingest: number | null;
}

export interface ApiSettings {
  /** The address under which people reach the api, e.g. https://plant.example; null = as the request says. */
  readonly publicUrl: string | null;
  /** Folder of the built UI; null = none. */
  readonly uiDir: string | null;
  /** Take the caller's address from X-Forwarded-For: only behind a proxy that sets it. */
  readonly trustProxy: boolean;
  /** auto: where publicUrl is https. */
  readonly cookieSecure: boolean | 'auto';
  readonly requestsPerMinute: RequestBudgets;
  /** Failed log-ins a minute from one address; more wait. */
  readonly loginAttemptsPerMinute: number;
  readonly accessTokenSeconds: number;
  /** Largest body of a request in bytes, where the route says nothing else. */
  readonly bodyBytesMax: number;
  /** Bytes of HTTP telemetry that wait for the log; beyond it requests get 429 with Retry-After. */
  readonly ingestQueueBytesMax: number;
  /** Requests under way on one connection (pipelined); further ones are answered 429. */
  readonly requestsPerConnectionMax: number;
  /** Bytes of large answers that one connection has not read; a further one is answered 429. */
  readonly unreadAnswerBytesPerConnectionMax: number;
  /** The same in all: beyond it slow readers are cut off; where there are none, a further one is answered 429. */
  readonly unreadAnswerBytesMax: number;
  /** How long a caller may read nothing of a large answer before it is cut off, in milliseconds. */
  readonly answerStalledTimeoutMs: number;
  readonly liveClientsMax: number;
  readonly liveSubscriptionsPerClientMax: number;
  /** Bytes written to one live client that it has not read: beyond it what comes waits in its backlog. */
  readonly liveUnreadBytesPerClientMax: number;
  /** The same in all: beyond it clients that have read nothing for 5 s are cut off. */
  readonly liveUnreadBytesMax: number;
  /** Bytes that wait for one live client; beyond it the oldest are left out, and it is told so. */
  readonly liveBacklogBytesPerClientMax: number;
  /** The same in all: beyond it each who is behind has its share. */
  readonly liveBacklogBytesMax: number;
  /** How long a live client may leave unread what was sent to it before it is cut off, in milliseconds. */
  readonly liveStalledTimeoutMs: number;
  /** Time between two live frames of a device, in milliseconds. */
  readonly liveFrameIntervalMs: number;
  /** How long a stop waits for answers under way, in milliseconds; clients that neither send nor read on are cut off then. */
  readonly stopGraceMs: number;
  /** Shown in the documentation. */
  readonly version: string;
}

export const DEFAULT_API_SETTINGS: ApiSettings = {
  publicUrl: null,
  uiDir: null,
  trustProxy: false,
  cookieSecure: 'auto',
  requestsPerMinute: { login: 60, general: 1000, timeSeries: 1000, ingest: null },
  loginAttemptsPerMinute: 10,
  accessTokenSeconds: 15 * 60,
  bodyBytesMax: 1024 * 1024,
  ingestQueueBytesMax: 64 * 1024 * 1024,
  requestsPerConnectionMax: 64,
  unreadAnswerBytesPerConnectionMax: 32 * 1024 * 1024,
  unreadAnswerBytesMax: 64 * 1024 * 1024,
  answerStalledTimeoutMs: 30_000,
  liveClientsMax: 10_000,
  liveSubscriptionsPerClientMax: 200,
  liveUnreadBytesPerClientMax: 256 * 1024,
  liveUnreadBytesMax: 32 * 1024 * 1024,
  liveBacklogBytesPerClientMax: 256 * 1024,
  liveBacklogBytesMax: 16 * 1024 * 1024,
  liveStalledTimeoutMs: 30_000,
  liveFrameIntervalMs: 100,
  stopGraceMs: 3_000,
  version: '0.1.0',
};
