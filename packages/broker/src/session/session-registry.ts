/**
 * All sessions: opening and taking up again (MQTT 5, 3.1.2.4), what happens when the connection goes, wills and expiry as
 * time passes, and the way to and from the session store. Holds no timer: tick() is called from outside.
 */
import type { Clock } from '@fieldline/kit';
import type { Budgets, DeviceUsage } from '../budgets.ts';
import { type Message, ownMessage } from '../message.ts';
import type { ClientIdentity } from '../options.ts';
import type { Router } from '../router/router.ts';
import type { QueueSpool } from './queue-spool.ts';
import { RestoringSessions } from './restore-sessions.ts';
import { Session, sessionKey, type Will } from './session.ts';
import { type SessionStore, type StoredDelivery, type StoredOperation, storedDelivery } from './session-store.ts';

export interface SessionRegistryOptions {
  readonly store: SessionStore;
  readonly router: Router;
  readonly clock: Clock;
  readonly budgets: Budgets;
  readonly queueBytesPerSessionMax: number;
  readonly spool: QueueSpool;
  /** Messages that expired while they waited. */
  readonly expired: (count: number) => void;
  readonly publishWill: (session: Session, will: Will) => void;
}

export interface OpenRequest {
  readonly identity: ClientIdentity;
  readonly clientId: string;
  readonly clean: boolean;
  readonly expiryIntervalS: number;
  readonly will: Will | null;
}

export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #sessions = new Map<string, Session>();
  /** Those that nobody is connected to: will and expiry run. */
  readonly #alone = new Set<Session>();

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#sessions.size;
  }

  get all(): Iterable<Session> {
    return this.#sessions.values();
  }

  find(identity: ClientIdentity, clientId: string): Session | undefined {
    return this.#sessions.get(sessionKey(identity, clientId));
  }

  /** The session to go on with. Whoever was connected to it must have been disconnected before. */
  open(request: OpenRequest): { session: Session; isPresent: boolean } {
    const key = sessionKey(request.identity, request.clientId);
    let session = this.#sessions.get(key);
    if (session !== undefined && request.clean) {
      this.end(session); // [MQTT-3.1.2-4]
      session = undefined;
    }
    const isPresent = session !== undefined;
    const { queueBytesPerSessionMax, spool } = this.#options;
    session ??= new Session(key, request.clientId, request.identity, queueBytesPerSessionMax, spool);
    session.identity = request.identity;
    session.expiryIntervalS = request.expiryIntervalS;
    session.will = request.will;
    this.#sessions.set(key, session);
    session.countFor(this.#options.budgets.device(request.identity));
    this.#alone.delete(session);
    session.outbound.reconnect();
    if (!session.isPersistent) this.#noteEnded(session);
    // A will is kept for every session: a crash defers it to the restart (3.1.2.5).
    if (session.isPersistent || session.will !== null) this.#note(session, null);
    return { session, isPresent };
  }

  /** The connection is gone. A session that does not outlive it ends here. */
  disconnected(session: Session, keepWill: boolean): void {
    const nowMs = this.#options.clock.nowMs();
    session.disconnected(nowMs, keepWill);
    if (session.isPersistent) this.#note(session, Number.isFinite(session.endsAtMs) ? session.endsAtMs : null);
    this.#alone.add(session);
    this.#options.router.handOver(session, false);
    this.#review(session, nowMs);
  }

  /** DISCONNECT may change how long the session outlives the connection (3.14.2.2.2). */
  changeExpiry(session: Session, expiryIntervalS: number): void {
    session.expiryIntervalS = expiryIntervalS;
  }

  /** Publishes wills and ends sessions that are due; what waits for an absent member of a share goes to one that has room by now. */
  tick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const session of this.#alone) {
      this.#review(session, nowMs);
      this.#options.router.handOver(session, false);
    }
  }

  /** Takes expired messages out of the queues of those who are away; who is connected is asked when it is sent something. */
  expire(nowMs: number): void {
    for (const session of this.#alone) {
      const expired = session.outbound.takeExpired(nowMs);
      for (const { id, shared } of expired) {
        shared?.lane.release();
        if (id > 0) this.#options.store.note({ kind: 'delivered', key: session.key, id });
      }
      if (expired.length > 0) this.#options.expired(expired.length);
    }
  }

  /** Ends a session: its will is published, its subscriptions and messages are gone. */
  end(session: Session): void {
    this.#alone.delete(session);
    this.#sessions.delete(session.key);
    session.countFor(null);
    this.#options.router.forget(session);
    this.#options.router.handOver(session, true);
    session.outbound.clear();
    session.receivedQos2.clear();
    // In this order: a crash between them sends it twice rather than never.
    this.#sendWill(session);
    this.#noteEnded(session);
  }

  /** The session of this device that has been alone for longest; undefined where all are connected. */
  longestAlone(device: DeviceUsage): Session | undefined {
    let found: Session | undefined;
    for (const session of device.sessions) {
      if (session.link === null && (found === undefined || session.aloneSinceMs < found.aloneSinceMs)) found = session;
    }
    return found;
  }

  /** Takes in what the store has kept, step by step, so that the spool may write what it gets. Every session is alone from now on. */
  *restoring(operations: Iterable<StoredOperation>): Generator<void> {
    const { router, clock, budgets, queueBytesPerSessionMax, spool } = this.#options;
    const restoring = new RestoringSessions(queueBytesPerSessionMax, spool);
    for (const operation of operations) {
      if (operation.kind === 'retained') {
        const { organizationId, message, device } = operation;
        router.restoreRetained(organizationId, message.topic, ownMessage(message), device);
      } else if (operation.kind === 'cleared') router.restoreRetained(operation.organizationId, operation.topic, null);
      else restoring.apply(operation);
    }
    const nowMs = clock.nowMs();
    for (const session of restoring.sessions()) {
      const subscriptions = [...session.subscriptions.values()];
      for (const subscription of subscriptions) router.subscribe(session, subscription);
      // All that was retained at the restart: nobody knows how much of it was sent.
      for (const { subscription } of session.owedRetained?.values() ?? [])
        router.oweRetained(session, subscription, true, 0);
    }
    const over: Session[] = [];
    for (const { session, endsAtMs } of restoring.finish(router.sharedOf)) {
      session.disconnected(nowMs, true);
      if (endsAtMs !== null) session.endsAtMs = endsAtMs;
      this.#sessions.set(session.key, session);
      session.countFor(budgets.device(session.identity));
      this.#alone.add(session);
      if (!session.isPersistent) over.push(session);
      yield;
    }
    // Their connections went with the process: their wills are due before anybody comes back.
    for (const session of over) this.end(session);
  }

  /**
   * The whole state as operations that bring it about; a message that waits for many sessions stands in it once. The state may
   * change between two steps (session-store.ts): what is taken from a session is taken at one moment.
   */
  *snapshot(): Generator<StoredOperation | null> {
    const stored = [...this.#sessions.values()].filter(({ isStored }) => isStored);
    const persistent = stored.filter(({ isPersistent }) => isPersistent);
    const byMessage = new Map<Message, StoredDelivery[]>();
    for (const session of stored) {
      if (!session.isPersistent) yield operationOf(session, null);
    }
    for (const session of persistent) {
      const { key } = session;
      yield operationOf(session, Number.isFinite(session.endsAtMs) ? session.endsAtMs : null);
      for (const subscription of session.subscriptions.values()) {
        const owesRetained = session.owedRetained?.has(subscription.filter);
        yield { kind: 'subscribed', key, subscription, ...(owesRetained && { owesRetained }) };
      }
      for (const { delivery, isSpooled } of session.outbound.unfinished()) {
        const deliveries = byMessage.get(delivery.message);
        // What comes out of the spool is not gathered: all of it would be in memory.
        if (isSpooled) yield { kind: 'queued', message: delivery.message, deliveries: [storedDelivery(key, delivery)] };
        else if (deliveries === undefined) byMessage.set(delivery.message, [storedDelivery(key, delivery)]);
        else deliveries.push(storedDelivery(key, delivery));
        yield null;
      }
    }
    for (const [message, deliveries] of byMessage) yield { kind: 'queued', message, deliveries };
    for (const { key, outbound, receivedQos2 } of persistent) {
      for (const { delivery, packetId, stage } of outbound.sent()) {
        yield { kind: 'sent', key, id: delivery.id, packetId };
        if (stage === 'pubrel') yield { kind: 'released', key, id: delivery.id };
      }
      const packetIds = [...receivedQos2].filter(([, state]) => state === 'taken').map(([packetId]) => packetId);
      if (packetIds.length > 0) yield { kind: 'received', key, packetIds };
    }
  }

  #review(session: Session, nowMs: number): void {
    if (session.willDueMs <= nowMs) {
      session.willDueMs = Number.POSITIVE_INFINITY;
      this.#sendWill(session);
      if (session.isPersistent && session.endsAtMs > nowMs) {
        this.#note(session, Number.isFinite(session.endsAtMs) ? session.endsAtMs : null);
      }
    }
    if (session.endsAtMs <= nowMs) this.end(session);
  }

  #sendWill(session: Session): void {
    const { will } = session;
    session.will = null;
    if (will !== null) this.#options.publishWill(session, will);
  }

  #note(session: Session, endsAtMs: number | null): void {
    session.isStored = true;
    this.#options.store.note(operationOf(session, endsAtMs));
  }

  #noteEnded(session: Session): void {
    if (!session.isStored) return;
    session.isStored = false;
    this.#options.store.note({ kind: 'ended', key: session.key });
  }
}

function operationOf(session: Session, endsAtMs: number | null): StoredOperation {
  const { key, clientId, identity, expiryIntervalS, will } = session;
  return { kind: 'session', key, clientId, identity, expiryIntervalS, will, endsAtMs };
}
