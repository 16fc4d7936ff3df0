/**
 * One session (MQTT 5, 4.1): subscriptions, what is unfinished in either direction, the will, and when it ends. Pure
 * state: no socket, no timer. Whoever is connected stands behind `link`.
 */
import type { DeviceUsage } from '../budgets.ts';
import type { Delivery, Message } from '../message.ts';
import type { ClientIdentity } from '../options.ts';
import type { Subscription } from '../router/subscription-trie.ts';
import { Outbound } from './outbound.ts';
import type { QueueSpool } from './queue-spool.ts';

/** The connected client as the session and the router see it. */
export interface SessionLink {
  /** Hands over a message of QoS 0; false where it had to be dropped because the client reads too slowly. */
  sendQos0(delivery: Delivery): boolean;
  /** There is something to take from `outbound`. */
  wake(): void;
  /** Another connection takes the session; this one ends at once. */
  takenOver(): void;
  /** The client reads too slowly at the moment. */
  readonly isSlow: boolean;
}

export interface Will {
  readonly message: Message;
  readonly delayS: number;
  /** Seconds for which the message is worth delivering, counted from its publication; null = without end. */
  readonly expiryS: number | null;
}

/** Retained messages under a new subscription that were not sent yet. */
export interface OwedRetained {
  readonly subscription: Subscription;
  /** What was retained later (RetainedTree.serial) is not owed. */
  readonly serialMax: number;
  /** null = not begun: the client has no SUBACK yet, or has not come back since a restart. */
  messages: Generator<Message> | null;
}

/** A QoS 2 message from the client that is on its way to where it goes. */
export interface ReceivedQos2 {
  readonly session: Session;
  readonly packetId: number;
  readonly goesTo: 'log' | 'clients' | 'both';
  /** The log did not take it: whoever waits for it must not be told that it was taken. */
  isLost: boolean;
}

/** 0xFFFFFFFF: the session does not expire (3.1.2.11.2). */
export const EXPIRY_NEVER_S = 0xffff_ffff;

export class Session {
  /** Unique over all organisations and identities: two principals never share a session. */
  readonly key: string;
  readonly clientId: string;
  identity: ClientIdentity;
  /** Seconds that it outlives its connection; 0 = it ends with it. */
  expiryIntervalS = 0;
  readonly subscriptions = new Map<string, Subscription>();
  readonly outbound: Outbound;
  /** By filter, so never more than there are subscriptions; null = none. After a restart it is begun anew. */
  owedRetained: Map<string, OwedRetained> | null = null;
  /**
   * QoS 2 packet ids that came in and were not released yet (4.3.3): on their way, taken, or given to the subscribers
   * alone because the log did not take them: those it does not know, but for delivering them once.
   */
  readonly receivedQos2 = new Map<number, ReceivedQos2 | 'taken' | 'routed'>();
  will: Will | null = null;
  /** When the will is due while nobody is connected (wall time, ms); Infinity = not. */
  willDueMs = Number.POSITIVE_INFINITY;
  /** When the session ends while nobody is connected (wall time, ms); Infinity = never. */
  endsAtMs = Number.POSITIVE_INFINITY;
  link: SessionLink | null = null;
  /** When its connection went (wall time, ms); 0 = before the last restart. */
  aloneSinceMs = 0;
  /** What its device holds in all; set while the registry knows the session. */
  device: DeviceUsage | null = null;
  #lastDeliveryId = 0;

  constructor(key: string, clientId: string, identity: ClientIdentity, queueBytesMax: number, spool: QueueSpool) {
    this.key = key;
    this.clientId = clientId;
    this.identity = identity;
    this.outbound = new Outbound(queueBytesMax, spool);
  }

  /** The session store knows it: it survives its connection, or has a will. */
  isStored = false;

  /** Survives its connection, and so is kept in the session store with all that it has. */
  get isPersistent(): boolean {
    return this.expiryIntervalS > 0;
  }

  /** The session counts for this device from now on; null = for none any more. */
  countFor(device: DeviceUsage | null): void {
    if (this.device === device) return;
    this.device?.sessions.delete(this);
    this.device = device;
    device?.sessions.add(this);
    this.outbound.countIn(device);
  }

  nextDeliveryId(): number {
    this.#lastDeliveryId += 1;
    return this.#lastDeliveryId;
  }

  /** After a restart: ids go on behind the highest that was stored. */
  skipDeliveryIds(id: number): void {
    this.#lastDeliveryId = Math.max(this.#lastDeliveryId, id);
  }

  /** The connection is gone: from here on will and expiry run (3.1.2.5, 3.1.2.11.2). */
  disconnected(nowMs: number, keepWill: boolean): void {
    this.link = null;
    this.aloneSinceMs = nowMs;
    if (!keepWill) this.will = null;
    this.endsAtMs =
      this.expiryIntervalS === EXPIRY_NEVER_S ? Number.POSITIVE_INFINITY : nowMs + this.expiryIntervalS * 1000;
    // [MQTT-3.1.3-9]: when the delay has passed or the session ends, whichever is first.
    this.willDueMs =
      this.will === null ? Number.POSITIVE_INFINITY : Math.min(nowMs + this.will.delayS * 1000, this.endsAtMs);
  }

  connected(link: SessionLink): void {
    this.link = link;
    this.willDueMs = Number.POSITIVE_INFINITY;
    this.endsAtMs = Number.POSITIVE_INFINITY;
  }
}

/** Sessions belong to a principal: the same client id under another identity is another session. */
export function sessionKey(identity: ClientIdentity, clientId: string): string {
  return `${identity.organizationId}/${identity.kind}/${identity.deviceId}/${clientId}`;
}
