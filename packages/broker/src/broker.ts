/**
 * The broker: opens the doors, holds what the connections share, and is its clock. Promise: what it acknowledges is
 * durable. Errors of single clients end that client's connection and nothing else.
 */

import { join } from 'node:path';
import { type Health, Metrics, messageOf, Service, silentLogger, systemClock } from '@fieldline/kit';
import type { BrokerContext } from './broker-context.ts';
import { BrokerCounters, registerGauges } from './broker-counters.ts';
import { registerBudgetGauges } from './budget-gauges.ts';
import { Budgets } from './budgets.ts';
import { Connection } from './connection.ts';
import { GroupCommit } from './group-commit.ts';
import { publishWill } from './inbound-publish.ts';
import { type ClientStream, type ListenerAddress, Listeners } from './listeners.ts';
import { NO_BYTES } from './message.ts';
import type { PeerFacts } from './open-session.ts';
import {
  type BrokerLimits,
  type BrokerOptions,
  type ClientIdentity,
  DEFAULT_LIMITS,
  type PlatformMessage,
  type TlsMaterial,
} from './options.ts';
import { REASON } from './packets/reason-codes.ts';
import { RightsReview } from './rights-review.ts';
import { Router } from './router/router.ts';
import { checkTopicName } from './router/topic.ts';
import { JournalSessionStore } from './session/journal-session-store.ts';
import { QueueRoom } from './session/queue-room.ts';
import { FileSpool, MemorySpool } from './session/queue-spool.ts';
import type { Session } from './session/session.ts';
import { SessionRegistry } from './session/session-registry.ts';
import { MemorySessionStore, type SessionStore, type StoredOperation } from './session/session-store.ts';
import { steadyClock } from './steady-clock.ts';
import { SystemTopics } from './system-topics.ts';

export interface BrokerStatistics {
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  /** Bytes of messages that wait for clients or their answers, in all sessions. */
  readonly queuedBytes: number;
  /** How much of the disk those take that lie beside the journal because nobody needs them soon. */
  readonly spooledBytes: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly recordsCommitted: number;
  readonly messagesRefused: number;
  readonly connectionsRefused: number;
  readonly protocolErrors: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Bytes that wait to be made durable. */
  readonly pendingBytes: number;
}

export interface Broker {
  /** Restores sessions, then opens the doors. */
  start(): Promise<void>;
  /** Closes the doors, acknowledges what is still made durable, disconnects everybody (0x8B), keeps the sessions. */
  stop(): Promise<void>;
  addresses(): ListenerAddress[];
  health(): Health;
  /** Ends the sessions of a device of this organisation at once, as after a revocation; returns how many were connected. */
  disconnectDevice(device: DeviceName, reasonCode: number, reason: string): number;
  /** From the platform to the clients of one organisation; resolves when it is durable for those who are away. */
  publish(message: PlatformMessage): Promise<void>;
  /**
   * Routes and rights to subscribe are asked for again: call it whenever devices or mappings have changed. Subscriptions that
   * are not allowed any more end, with what waits through them.
   */
  forgetRoutes(): void;
  /** Certificates for handshakes from now on, on all TLS listeners. Throws CONFIG_INVALID and keeps the old ones where they are none. */
  renewCertificates(material: TlsMaterial): void;
  statistics(): BrokerStatistics;
}

/** A device; its id alone is another device's in another organisation. */
export type DeviceName = Pick<ClientIdentity, 'organizationId' | 'deviceId'>;

const TICK_MS = 250;
const EXPIRE_EVERY_TICKS = 240;

export function createBroker(options: BrokerOptions): Broker {
  return new EmbeddedBroker(options);
}

class EmbeddedBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #metrics: Metrics;
  readonly #context: BrokerContext;
  readonly #listeners: Listeners;
  readonly #service: Service;
  readonly #counters = new BrokerCounters();
  readonly #systemTopics: SystemTopics;
  readonly #rights: RightsReview;
  readonly #systemTicks: number;
  readonly #woken: Connection[] = [];
  readonly #waiting = new Set<Connection>();
  #tickTimer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#metrics = options.metrics ?? new Metrics();
    this.#context = this.#createContext();
    this.#rights = new RightsReview(this.#context);
    const { router, registry, clock } = this.#context;
    this.#systemTopics = new SystemTopics({ router, sessions: () => registry.all, clock });
    this.#systemTicks = Math.ceil(this.#limits.systemIntervalMs / TICK_MS);
    this.#listeners = new Listeners({
      tcp: options.listeners.tcp ?? [],
      tls: options.listeners.tls ?? [],
      ws: options.listeners.ws ?? [],
      limits: this.#limits,
      logger: this.#context.logger,
      clock,
      accept: (stream, peer, acceptedMs) => this.#accept(stream, peer, acceptedMs),
      refused: () => {
        this.#counters.connectionsRefused += 1;
      },
    });
    registerGauges(this.#metrics, () => this.statistics());
    registerBudgetGauges(this.#metrics, this.#context);
    this.#service = new Service('broker', {
      start: () => this.#start(),
      stop: () => this.#stop(),
      problem: () => this.#context.commit.problem,
    });
  }

  start(): Promise<void> {
    return this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  health(): Health {
    return this.#service.health();
  }

  addresses(): ListenerAddress[] {
    return this.#listeners.addresses();
  }

  disconnectDevice({ organizationId, deviceId }: DeviceName, reasonCode: number, reason: string): number {
    const { registry, connections } = this.#context;
    const isIts = ({ identity }: Session): boolean =>
      identity.kind === 'device' && identity.deviceId === deviceId && identity.organizationId === organizationId;
    const found = [...connections].filter(({ session }) => session !== null && isIts(session));
    for (const connection of found) connection.close(reasonCode, reason);
    for (const session of registry.all) if (isIts(session)) registry.end(session);
    return found.length;
  }

  async publish({ organizationId, topic, payload, qos, retain = false, expiryS }: PlatformMessage): Promise<void> {
    checkTopicName(topic);
    const { router, store, clock } = this.#context;
    const expiresAtMs = expiryS === undefined ? Number.POSITIVE_INFINITY : clock.nowMs() + expiryS * 1000;
    const message = { topic, payload: new Uint8Array(payload), qos, retain, properties: NO_BYTES, expiresAtMs };
    router.publish(organizationId, message, null);
    if (store.isPending) await store.durable();
  }

  forgetRoutes(): void {
    this.#context.routeEpoch.current += 1;
    this.#rights.begin();
  }

  renewCertificates(material: TlsMaterial): void {
    this.#listeners.renewCertificates(material);
  }

  statistics(): BrokerStatistics {
    const { budgets, connections, registry, router, commit, spool } = this.#context;
    const { messagesReceived, messagesSent, recordsCommitted, messagesRefused, connectionsRefused, protocolErrors } =
      this.#counters;
    return {
      connections: connections.size,
      sessions: registry.count,
      subscriptions: router.subscriptionCount,
      retainedMessages: router.retainedCount,
      retainedBytes: router.retainedBytes,
      queuedBytes: budgets.total.queue + budgets.total.inFlight,
      spooledBytes: spool.fileBytes,
      messagesReceived,
      messagesSent,
      recordsCommitted,
      messagesRefused,
      connectionsRefused,
      protocolErrors,
      dropped: { ...this.#counters.dropped },
      pendingBytes: commit.pendingBytes,
    };
  }

  #createContext(): BrokerContext {
    const { logger = silentLogger, dataDir } = this.#options;
    const clock = steadyClock(this.#options.clock ?? systemClock);
    const limits = this.#limits;
    const store: SessionStore =
      dataDir === null ? new MemorySessionStore() : new JournalSessionStore(join(dataDir, 'sessions.journal'), logger);
    const dropped = (reason: keyof BrokerCounters['dropped'], count: number): void => {
      this.#counters.dropped[reason] += count;
    };
    const budgets = new Budgets();
    const router = new Router({
      ...limits,
      store,
      clock,
      budgets,
      dropped,
      standing: (organizationId, filter) =>
        limits.systemIntervalMs === 0 ? [] : this.#systemTopics.matching(organizationId, filter),
      queued: (session) => session.device !== null && room.check(session.device),
    });
    const { queueBytesPerSessionMax, queueBytesPerDeviceMax, queueBytesMax } = limits;
    const spool =
      dataDir === null
        ? new MemorySpool(limits.queueMemoryBytesMax)
        : new FileSpool(join(dataDir, 'queues.spool'), limits.queueMemoryBytesMax, logger);
    const registry = new SessionRegistry({
      store,
      router,
      clock,
      budgets,
      spool,
      queueBytesPerSessionMax,
      expired: (count) => dropped('expired', count),
      publishWill: (session, will) => this.#safely('a will', () => publishWill(this.#context, session, will)),
    });
    const room = new QueueRoom({
      total: budgets.total,
      queueBytesMax,
      queueBytesPerDeviceMax,
      sessions: () => registry.all,
      gaveWay: ({ key }, { id, shared }) => {
        shared?.lane.release();
        if (id > 0) store.note({ kind: 'delivered', key, id });
        dropped('queue-full', 1);
      },
    });
    const appendSeconds = this.#metrics.histogram('mqtt_commit_duration_seconds', 'Time to make a batch durable');
    const commit = new GroupCommit({
      appendToLog: (batch) => this.#options.appendToLog(batch),
      store,
      pendingBytesMax: limits.pendingBytesMax,
      appendRetryMs: limits.appendRetryMs,
      clock,
      logger,
      onCommitted: (records, durationMs) => {
        this.#counters.recordsCommitted += records;
        appendSeconds.observe(durationMs / 1000);
        this.#giveRoom();
      },
      onFailed: (records) => {
        dropped('log-failed', records);
        this.#giveRoom();
      },
    });
    return {
      options: this.#options,
      limits,
      clock,
      logger,
      counters: this.#counters,
      budgets,
      commit,
      router,
      registry,
      store,
      spool,
      routeEpoch: { current: 0 },
      connections: new Set(),
      tell: (event) =>
        this.#safely('onConnection', () => this.#options.onConnection?.({ ...event, time: clock.nowMicros() })),
      wake: (connection) => this.#wake(connection),
      waitForRoom: (connection) => this.#waiting.add(connection),
    };
  }

  /** What is handed in from outside may be broken; it must not take the broker with it. */
  #safely(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#context.logger.error({ error: messageOf(error) }, `${what} failed`);
    }
  }

  async #start(): Promise<void> {
    const { store, spool, registry } = this.#context;
    const operations = await store.open(() => this.#snapshot());
    spool.open();
    for (const _ of registry.restoring(operations)) await spool.ready();
    await this.#listeners.start();
    this.#tickTimer = setInterval(() => this.#tick(), TICK_MS);
  }

  async #stop(): Promise<void> {
    const { commit, connections, store, spool } = this.#context;
    this.#listeners.close();
    clearInterval(this.#tickTimer);
    const giveUp = setTimeout(() => commit.giveUp(), this.#limits.closeTimeoutMs);
    for (const connection of connections) connection.stopReading();
    await commit.drained();
    for (const connection of connections) connection.close(REASON.serverShuttingDown, 'the broker is stopping');
    await this.#listeners.closed(this.#limits.closeTimeoutMs);
    await commit.drained(); // wills
    clearTimeout(giveUp);
    await store.close();
    await spool.close();
    this.#counters.publish(this.#metrics);
  }

  *#snapshot(): Generator<StoredOperation | null> {
    yield* this.#context.registry.snapshot();
    yield* this.#context.router.snapshot();
  }

  #accept(stream: ClientStream, peer: PeerFacts, acceptedMs: number): void {
    this.#context.connections.add(new Connection(this.#context, stream, peer, acceptedMs));
  }

  #tick(): void {
    const { clock, budgets, connections, registry, router } = this.#context;
    this.#safely('the periodic work of the broker', () => {
      const nowMs = clock.monotonicMs();
      for (const connection of connections) connection.checkTime(nowMs);
      registry.tick();
      this.#ticks += 1;
      if (this.#ticks % EXPIRE_EVERY_TICKS === 0) {
        router.expire(clock.nowMs());
        registry.expire(clock.nowMs());
        budgets.tidy();
      }
      if (this.#systemTicks > 0 && this.#ticks % this.#systemTicks === 0) this.#systemTopics.publish();
      this.#counters.publish(this.#metrics);
    });
  }

  #wake(connection: Connection): void {
    if (connection.isWoken) return;
    connection.isWoken = true;
    if (this.#woken.push(connection) > 1) return;
    setImmediate(() => {
      for (const woken of this.#woken.splice(0)) woken.pump();
    });
  }

  /** Sockets that were not read are read again when half of the budget is free. */
  #giveRoom(): void {
    if (this.#waiting.size === 0 || this.#context.commit.pendingBytes > this.#limits.pendingBytesMax / 2) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of waiting) connection.roomAgain();
  }
}
