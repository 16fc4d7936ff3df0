/** Socket.IO at /live: what a client says, what it hears. The handshake carries { token } (an access token). */
import type { DeviceStatus } from './routes/devices.ts';
import type { Event } from './routes/events.ts';

/** Exactly one of them. */
export interface LiveTarget {
  readonly organizationId?: string;
  readonly siteId?: string;
  readonly deviceId?: string;
}

export type LiveAck = { readonly ok: true } | { readonly ok: false; readonly code: string; readonly message: string };

/** Samples of one metric in columns, ascending by time. */
export interface LiveColumns {
  /** Milliseconds since 1970; fractions are microseconds. Source time. */
  readonly timestamps: number[];
  /** Numbers (booleans are 0 and 1) or texts. */
  readonly values: (number | string)[];
  /** OPC: 192 good, 64 uncertain, 0 bad. */
  readonly quality: number[];
}

/**
 * Samples that came in since the last frame of this device. To subscribers of the device: all of them, thinned to what a
 * screen shows (minima and maxima stay). To subscribers of a site or organization: the newest of each metric.
 */
export interface TelemetryNew {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly metrics: Readonly<Record<string, LiveColumns>>;
}

export interface DeviceStatusChange {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly status: DeviceStatus;
  /** ISO 8601. */
  readonly since: string | null;
  readonly lastSeen: string | null;
}

export interface DeviceConnected {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly timestamp: string;
}

export interface DeviceDisconnected extends DeviceConnected {
  readonly reason: string;
}

/**
 * Comes first when a client that did not read for a while reads again: so much was left out for it. Samples are in the history,
 * and events in their list: ask for both.
 */
export interface LiveLagged {
  /** ISO 8601: when the first and the last of it came in. */
  readonly since: string;
  readonly until: string;
  /** Samples that were left out, and status changes and events. */
  readonly samples: number;
  readonly news: number;
  /** Whose samples; null = of more devices than are named. */
  readonly deviceIds: readonly string[] | null;
}

/** Why the server closes the connection; it comes before the disconnect. */
export interface SessionEnded {
  readonly code: 'TOKEN_EXPIRED' | 'SESSION_REVOKED' | 'SERVER_STOPPING';
}

export interface ServerEvents {
  'telemetry:new': (frame: TelemetryNew) => void;
  'device:status': (change: DeviceStatusChange) => void;
  'device:connected': (change: DeviceConnected) => void;
  'device:disconnected': (change: DeviceDisconnected) => void;
  'event:created': (event: Event) => void;
  'live:lagged': (notice: LiveLagged) => void;
  'session:ended': (reason: SessionEnded) => void;
}

export interface ClientEvents {
  subscribe: (target: LiveTarget, ack: (answer: LiveAck) => void) => void;
  unsubscribe: (target: LiveTarget, ack: (answer: LiveAck) => void) => void;
  /** A fresh access token, so that the connection outlives the old one. */
  authenticate: (token: string, ack: (answer: LiveAck) => void) => void;
}

export const LIVE_PATH = '/live';
