/**
 * The session store's port: what must survive a restart, as operations in the order in which they happened. Operations
 * are noted at once and become durable together; durable() tells when everything noted so far is. Only persistent
 * sessions, wills and retained messages are noted.
 */
import type { Delivery, Message, QoS } from '../message.ts';
import type { ClientIdentity } from '../options.ts';
import type { Subscription } from '../router/subscription-trie.ts';
import type { Will } from './session.ts';

export type StoredOperation =
  | {
      readonly kind: 'session';
      readonly key: string;
      readonly clientId: string;
      readonly identity: ClientIdentity;
      /** 0: only its will is kept, and due after a restart. */
      readonly expiryIntervalS: number;
      readonly will: Will | null;
      /** When it ends while nobody is connected (wall time, ms); null = it was connected, or never ends. */
      readonly endsAtMs: number | null;
    }
  | { readonly kind: 'ended'; readonly key: string }
  | {
      readonly kind: 'subscribed';
      readonly key: string;
      readonly subscription: Subscription;
      /** What is retained under it is still to be sent, until `retained-sent`. */
      readonly owesRetained?: true;
    }
  | { readonly kind: 'retained-sent'; readonly key: string; readonly filter: string }
  | { readonly kind: 'unsubscribed'; readonly key: string; readonly filter: string }
  | { readonly kind: 'queued'; readonly message: Message; readonly deliveries: readonly StoredDelivery[] }
  | { readonly kind: 'sent'; readonly key: string; readonly id: number; readonly packetId: number }
  | { readonly kind: 'released'; readonly key: string; readonly id: number }
  | { readonly kind: 'delivered'; readonly key: string; readonly id: number }
  | { readonly kind: 'received'; readonly key: string; readonly packetIds: readonly number[] }
  | { readonly kind: 'completed'; readonly key: string; readonly packetId: number }
  | {
      readonly kind: 'retained';
      readonly organizationId: string;
      readonly message: Message;
      /** Key of the device that it counts for; absent where the platform has published it. */
      readonly device?: string;
    }
  | { readonly kind: 'cleared'; readonly organizationId: string; readonly topic: string };

export interface StoredDelivery {
  readonly key: string;
  readonly id: number;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[];
  /** The filter, with $share/…, of the shared subscription that it came through. */
  readonly share?: string;
}

export interface SessionStore {
  /**
   * Reads what is there, in order; byte arrays in it are views of what was read, so whoever keeps them copies them. `snapshot` gives the whole state whenever the store wants to start afresh; it is walked
   * through in slices while the state goes on changing and operations are noted. null = a step with nothing to show.
   */
  open(snapshot: () => Iterable<StoredOperation | null>): Promise<Iterable<StoredOperation>>;
  /** Notes an operation; never waits. */
  note(operation: StoredOperation): void;
  /** True where something noted is not durable yet. */
  readonly isPending: boolean;
  /** Bytes of operations that wait in memory. */
  readonly waitingBytes: number;
  /** Resolves when everything noted so far is durable; rejects where it could not be written, and may be called again. */
  durable(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps nothing: for brokers without a data folder. */
export class MemorySessionStore implements SessionStore {
  readonly isPending = false;
  readonly waitingBytes = 0;

  async open(): Promise<Iterable<StoredOperation>> {
    return [];
  }

  note(): void {}

  async durable(): Promise<void> {}

  async close(): Promise<void> {}
}

export function storedDelivery(key: string, delivery: Delivery): StoredDelivery {
  const { id, qos, retain, subscriptionIdentifiers, shared } = delivery;
  return { key, id, qos, retain, subscriptionIdentifiers, ...(shared && { share: shared.filter }) };
}
