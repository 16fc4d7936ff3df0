/** Builds sessions again from stored operations. What refers to something unknown is passed over: it has ended since. */
import type { Delivery } from '../message.ts';
import { Session } from './session.ts';
import type { StoredOperation } from './session-store.ts';

interface Restoring {
  readonly session: Session;
  endsAtMs: number | null;
  readonly queued: Map<number, Delivery>;
  readonly inFlight: Map<number, { delivery: Delivery; packetId: number; stage: 'publish' | 'pubrel' }>;
}

export type SessionOperation = Exclude<StoredOperation, { kind: 'retained' | 'cleared' }>;

export class RestoringSessions {
  readonly #queueBytesMax: number;
  readonly #byKey = new Map<string, Restoring>();

  constructor(queueBytesMax: number) {
    this.#queueBytesMax = queueBytesMax;
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
        found.session.subscriptions.set(operation.subscription.filter, operation.subscription);
        break;
      case 'unsubscribed':
        found.session.subscriptions.delete(operation.filter);
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
        for (const packetId of operation.packetIds) found.session.receivedQos2.set(packetId, 'recorded');
        break;
      case 'completed':
        found.session.receivedQos2.delete(operation.packetId);
        break;
    }
  }

  *finish(): Generator<{ session: Session; endsAtMs: number | null }> {
    for (const { session, endsAtMs, queued, inFlight } of this.#byKey.values()) {
      for (const { delivery, packetId, stage } of inFlight.values())
        session.outbound.restore(delivery, packetId, stage);
      // A snapshot has them by message, not by session; ids count up in the order of the queue.
      for (const delivery of [...queued.values()].sort((one, other) => one.id - other.id))
        session.outbound.offer(delivery);
      yield { session, endsAtMs };
    }
  }

  #session(operation: Extract<SessionOperation, { kind: 'session' }>): void {
    const { key, clientId, identity, expiryIntervalS, will, endsAtMs } = operation;
    let found = this.#byKey.get(key);
    if (found === undefined) {
      const session = new Session(key, clientId, identity, this.#queueBytesMax);
      found = { session, endsAtMs, queued: new Map(), inFlight: new Map() };
      this.#byKey.set(key, found);
    }
    found.session.expiryIntervalS = expiryIntervalS;
    found.session.will = will;
    found.endsAtMs = endsAtMs;
  }

  #queued(operation: Extract<SessionOperation, { kind: 'queued' }>): void {
    for (const { key, id, qos, retain, subscriptionIdentifiers } of operation.deliveries) {
      const found = this.#byKey.get(key);
      if (found === undefined) continue;
      found.session.skipDeliveryIds(id);
      found.queued.set(id, { message: operation.message, qos, retain, subscriptionIdentifiers, id });
    }
  }
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
