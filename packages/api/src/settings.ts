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
  readonly liveClientsMax: number;
  readonly liveSubscriptionsPerClientMax: number;
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
  liveClientsMax: 10_000,
  liveSubscriptionsPerClientMax: 200,
  liveFrameIntervalMs: 100,
  stopGraceMs: 3_000,
  version: '0.1.0',
};
