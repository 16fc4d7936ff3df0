/**
 * What clients make the broker hold, in bytes: by device and in all, beside each connection's own limit. Whoever holds
 * something adds to the usage of its device, which adds to the total; the gauges read both. Promise: what one device holds
 * is bounded over all of its sessions, and what all hold together is bounded, too.
 */
import type { ClientIdentity } from './options.ts';
import type { Session } from './session/session.ts';

/**
 * log: read and not acknowledged yet. unread: written to sockets whose clients do not read. queue: QoS 1 and 2 messages that
 * wait for clients. inFlight: those that were sent and not acknowledged. partial: of packets that are not complete yet. retained: retained messages with the
 * levels of their topics. subscriptions: subscriptions with the levels of their filters.
 */
export const USAGE_KINDS = ['log', 'unread', 'queue', 'inFlight', 'partial', 'retained', 'subscriptions'] as const;
export type UsageKind = (typeof USAGE_KINDS)[number];

/** Bytes held; `parent` holds them, too. */
export class Usage {
  readonly parent: Usage | null;
  log = 0;
  unread = 0;
  queue = 0;
  inFlight = 0;
  partial = 0;
  retained = 0;
  subscriptions = 0;
  /** Connections with unread bytes: what is too much is shared out among them. */
  unreadCount = 0;

  constructor(parent: Usage | null) {
    this.parent = parent;
  }

  add(kind: UsageKind, bytes: number): void {
    this[kind] += bytes;
    this.parent?.add(kind, bytes);
  }

  addUnread(bytes: number, connections: number): void {
    this.unread += bytes;
    this.unreadCount += connections;
    this.parent?.addUnread(bytes, connections);
  }

  get isZero(): boolean {
    return USAGE_KINDS.every((kind) => this[kind] === 0);
  }
}

/** Somebody whose socket is not read while its device has too much on the way to the log. */
export interface WaitsForRoom {
  roomAgain(): void;
}

export class DeviceUsage extends Usage {
  readonly key: string;
  readonly sessions = new Set<Session>();
  waiting: Set<WaitsForRoom> | null = null;

  constructor(key: string, total: Usage) {
    super(total);
    this.key = key;
  }

  waitForRoom(connection: WaitsForRoom): void {
    this.waiting ??= new Set();
    this.waiting.add(connection);
  }

  /** Lets those go on who wait, where no more than this waits for the log. */
  giveRoom(bytesMax: number): void {
    if (this.waiting === null || this.log > bytesMax) return;
    const { waiting } = this;
    this.waiting = null;
    for (const connection of waiting) connection.roomAgain();
  }
}

export class Budgets {
  readonly total = new Usage(null);
  /** Part of total.partial: of connections that nobody has logged in on. */
  readonly unknown = new Usage(this.total);
  /** What nobody who is connected has brought in: messages of the platform. */
  readonly platform = new Usage(this.total);
  readonly #devices = new Map<string, DeviceUsage>();

  device({ organizationId, kind, deviceId }: ClientIdentity): DeviceUsage {
    return this.deviceOf(`${organizationId}/${kind}/${deviceId}`);
  }

  /** By DeviceUsage.key, which survives a restart. */
  deviceOf(key: string): DeviceUsage {
    let found = this.#devices.get(key);
    if (found === undefined) {
      found = new DeviceUsage(key, this.total);
      this.#devices.set(key, found);
    }
    return found;
  }

  /** Forgets the devices that hold nothing; called now and then. */
  tidy(): void {
    for (const [key, device] of this.#devices)
      if (device.sessions.size === 0 && device.isZero) this.#devices.delete(key);
  }

  /** What the device with the most of it holds. */
  largestOfDevices(kind: UsageKind): number {
    let largest = 0;
    for (const device of this.#devices.values()) largest = Math.max(largest, device[kind]);
    return largest;
  }

  /** Sessions of the device with the most of them. */
  get mostSessions(): number {
    let most = 0;
    for (const device of this.#devices.values()) most = Math.max(most, device.sessions.size);
    return most;
  }
}
