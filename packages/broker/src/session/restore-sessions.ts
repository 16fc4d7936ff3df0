/** Builds sessions again from stored operations. What refers to something unknown is passed over: it has ended since. */
import { type Delivery, type Message, ownMessage, type SharedDelivery } from '../message.ts';
import type { Subscription } from '../router/subscription-trie.ts';
import type { QueueSpool } from './queue-spool.ts';
import { Session } from './session.ts';
import type { StoredDelivery, StoredOperation } from './session-store.ts';

/** A delivery whose share is known by its filter only, until all members are there. */
interface RestoredDelivery extends Delivery {
  readonly stored: StoredDelivery;
}

interface Restoring {
  readonly session: Session;
  endsAtMs: number | null;
  readonly queued: Map<number, RestoredDelivery>;
  readonly inFlight: Map<number, { delivery: RestoredDelivery; packetId: number; stage: 'publish' | 'pubrel' }>;
}

/** The share behind a filter, for a message on this topic at this member; undefined where it is not there any more. */
export type SharedOf = (member: Session, filter: string, topic: string) => SharedDelivery | undefined;

export type SessionOperation = Exclude<StoredOperation, { kind: 'retained' | 'cleared' }>;

export class RestoringSessions {
  readonly #queueBytesMax: number;
  readonly #spool: QueueSpool;
  readonly #byKey = new Map<string, Restoring>();
  /** Messages of their own bytes, by those that are views of the journal; many deliveries may be of one. */
  readonly #owned = new WeakMap<Message, Message>();

  constructor(queueBytesMax: number, spool: QueueSpool) {
    this.#queueBytesMax = queueBytesMax;
    this.#spool = spool;
  }

  apply(operation: SessionOperation): void {
    if (operation.kind === 'session') {
      this.#session(operation);
      return;
    }
    if (operation.kind === 'queued') {
      this.#queued(operation);
      return;
    }
    const found = this.#byKey.get(operation.key);
    if (found === undefined) return;
    switch (operation.kind) {
      case 'ended':
        this.#byKey.delete(operation.key);
        break;
      case 'subscribed':
        subscribed(found.session, operation.subscription, operation.owesRetained === true);
        break;
      case 'retained-sent':
        found.session.owedRetained?.delete(operation.filter);
        break;
      case 'unsubscribed':
        found.session.subscriptions.delete(operation.filter);
        found.session.owedRetained?.delete(operation.filter);
        break;
      case 'sent':
        sent(found, operation.id, operation.packetId);
        break;
      case 'released':
        released(found, operation.id);
        break;
      case 'delivered':
        found.queued.delete(operation.id);
        found.inFlight.delete(operation.id);
        break;
      case 'received':
        for (const packetId of operation.packetIds) found.session.receivedQos2.set(packetId, 'taken');
        break;
      case 'completed':
        found.session.receivedQos2.delete(operation.packetId);
        break;
    }
  }

  *sessions(): Generator<Session> {
    for (const { session } of this.#byKey.values()) yield session;
  }

  /** Gives each session its messages. `sharedOf` finds the shared subscription again that a message came through. */
  *finish(sharedOf: SharedOf): Generator<{ session: Session; endsAtMs: number | null }> {
    for (const { session, endsAtMs, queued, inFlight } of this.#byKey.values()) {
      for (const { delivery, packetId, stage } of inFlight.values())
        session.outbound.restore(this.#whole(session, delivery, sharedOf), packetId, stage);
      // A snapshot has them by message, not by session; ids count up in the order of the queue.
      for (const delivery of [...queued.values()].sort((one, other) => one.id - other.id))
        session.outbound.offer(this.#whole(session, delivery, sharedOf));
      queued.clear();
      yield { session, endsAtMs };
    }
  }

  #whole(session: Session, restored: RestoredDelivery, sharedOf: SharedOf): Delivery {
    const { qos, retain, subscriptionIdentifiers, id, stored } = restored;
    let message = this.#owned.get(restored.message);
    if (message === undefined) {
      message = ownMessage(restored.message);
      this.#owned.set(restored.message, message);
    }
    const shared = stored.share === undefined ? undefined : sharedOf(session, stored.share, message.topic);
    shared?.lane.hold();
    return { message, qos, retain, subscriptionIdentifiers, id, ...(shared && { shared }) };
  }

  #session(operation: Extract<SessionOperation, { kind: 'session' }>): void {
    const { key, clientId, identity, expiryIntervalS, will, endsAtMs } = operation;
    let found = this.#byKey.get(key);
    if (found === undefined) {
      const session = new Session(key, clientId, identity, this.#queueBytesMax, this.#spool);
      found = { session, endsAtMs, queued: new Map(), inFlight: new Map() };
      this.#byKey.set(key, found);
    }
    found.session.expiryIntervalS = expiryIntervalS;
    found.session.isStored = true;
    found.session.will = will && { ...will, message: ownMessage(will.message) };
    found.endsAtMs = endsAtMs;
  }

  #queued(operation: Extract<SessionOperation, { kind: 'queued' }>): void {
    for (const stored of operation.deliveries) {
      const { key, id, qos, retain, subscriptionIdentifiers } = stored;
      const found = this.#byKey.get(key);
      if (found === undefined) continue;
      found.session.skipDeliveryIds(id);
      found.queued.set(id, { message: operation.message, qos, retain, subscriptionIdentifiers, id, stored });
    }
  }
}

function subscribed(session: Session, subscription: Subscription, owesRetained: boolean): void {
  session.subscriptions.set(subscription.filter, subscription);
  session.owedRetained?.delete(subscription.filter);
  if (!owesRetained) return;
  session.owedRetained ??= new Map();
  session.owedRetained.set(subscription.filter, { subscription, serialMax: Number.POSITIVE_INFINITY, messages: null });
}

function sent(found: Restoring, id: number, packetId: number): void {
  const delivery = found.queued.get(id);
  if (delivery === undefined) return;
  found.queued.delete(id);
  found.inFlight.set(id, { delivery, packetId, stage: 'publish' });
}

function released(found: Restoring, id: number): void {
  const entry = found.inFlight.get(id);
  if (entry !== undefined) entry.stage = 'pubrel';
}
