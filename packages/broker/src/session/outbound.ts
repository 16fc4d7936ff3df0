/**
 * What one session is still to be sent with QoS 1 and 2: a queue bounded in bytes, and what is in flight by packet id
 * (MQTT 5, 4.4, 4.9). Pure: whoever holds the connection asks next() for work and tells what the client answered.
 * When the queue is full the oldest message that was never sent gives way; the caller counts it.
 */
import type { Usage } from '../budgets.ts';
import { type Delivery, messageBytes } from '../message.ts';
import type { Share } from '../router/share.ts';
import { DeliveryQueue, type Waiting } from './delivery-queue.ts';
import type { QueueSpool } from './queue-spool.ts';
import type { Session } from './session.ts';

interface InFlight {
  readonly delivery: Delivery;
  stage: 'publish' | 'pubrel';
  /** Was sent over the connection of now; one that was not counts against nothing. */
  onWire: boolean;
}

export type Work =
  | { readonly kind: 'publish'; readonly packetId: number; readonly delivery: Delivery; readonly duplicate: boolean }
  | { readonly kind: 'pubrel'; readonly packetId: number; readonly delivery: Delivery };

export class Outbound {
  readonly #queueBytesMax: number;
  readonly #queue: DeliveryQueue;
  /** Bytes of the queue as they are counted in the usage. */
  #queueBytes = 0;
  #inFlightBytes = 0;
  /** Its share since queues had to give way for others; Infinity again when it is empty. */
  #trimmedTo = Number.POSITIVE_INFINITY;
  #usage: Usage | null = null;
  readonly #inFlight = new Map<number, InFlight>();
  #resend: number[] = [];
  #onWire = 0;
  #lastPacketId = 0;
  /** The shared subscriptions that something in it came through, maybe some more; null = none. */
  #shares: Set<Share<Session>> | null = null;
  /** No message in the queue expires before this (ms); may be too early. */
  #nextExpiryMs = Number.POSITIVE_INFINITY;

  constructor(queueBytesMax: number, spool: QueueSpool) {
    this.#queueBytesMax = queueBytesMax;
    this.#queue = new DeliveryQueue(spool);
  }

  get queuedCount(): number {
    return this.#queue.count;
  }

  get queuedBytes(): number {
    return this.#queueBytes;
  }

  /** Half of what it may hold now is free: nothing gives way soon. */
  get hasRoom(): boolean {
    return this.#queueBytes <= Math.min(this.#queueBytesMax, this.#trimmedTo) / 2;
  }

  /** Bytes that were sent and are not acknowledged; never more than a queue may hold, and one message. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** What came through these waits here, or did: whoever looks for more to hand over asks them first. */
  get shares(): ReadonlySet<Share<Session>> | null {
    return this.#shares;
  }

  /** What it holds counts there, too, from now on; null = nowhere any more. */
  countIn(usage: Usage | null): void {
    this.#usage?.add('queue', -this.#queueBytes);
    this.#usage?.add('inFlight', -this.#inFlightBytes);
    this.#usage = usage;
    usage?.add('queue', this.#queueBytes);
    usage?.add('inFlight', this.#inFlightBytes);
  }

  /** Queues a delivery; returns those that had to give way (the new one itself where it alone exceeds the limit). */
  offer(delivery: Delivery): readonly Delivery[] {
    const bytes = messageBytes(delivery.message);
    if (bytes > this.#queueBytesMax) return [delivery];
    this.#queue.push(delivery);
    this.#noteShare(delivery);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, delivery.message.expiresAtMs);
    this.#recount();
    return this.#queueBytes <= this.#queueBytesMax ? NONE : this.trimTo(this.#queueBytesMax);
  }

  /** Lets the oldest give way until no more than this is queued; returns them. */
  trimTo(bytesMax: number): readonly Delivery[] {
    const dropped: Delivery[] = [];
    while (this.#queueBytes > bytesMax) {
      const oldest = this.#shift();
      if (oldest === undefined) break;
      dropped.push(oldest);
    }
    if (dropped.length > 0) this.#trimmedTo = bytesMax;
    return dropped;
  }

  /** The next packet to send while fewer than receiveMaximum are unanswered [MQTT-3.3.4-9]; null where there is none. */
  next(receiveMaximum: number, nowMs: number, expired: (delivery: Delivery) => void): Work | null {
    while (this.#resend.length > 0) {
      const packetId = this.#resend[0]!;
      const entry = this.#inFlight.get(packetId);
      if (entry?.stage === 'publish' && this.#onWire >= receiveMaximum) return null;
      this.#resend.shift();
      if (entry === undefined) continue;
      if (entry.stage === 'pubrel') return { kind: 'pubrel', packetId, delivery: entry.delivery };
      entry.onWire = true;
      this.#onWire += 1;
      return { kind: 'publish', packetId, delivery: entry.delivery, duplicate: true }; // [MQTT-3.3.1-1]
    }
    if (this.#onWire >= receiveMaximum || this.#inFlightBytes >= this.#queueBytesMax) return null;
    for (let delivery = this.#shift(); delivery !== undefined; delivery = this.#shift()) {
      if (delivery.message.expiresAtMs <= nowMs) {
        expired(delivery); // [MQTT-3.3.2-5]
        continue;
      }
      const packetId = this.#freePacketId();
      this.#inFlight.set(packetId, { delivery, stage: 'publish', onWire: true });
      this.#countInFlight(messageBytes(delivery.message));
      this.#onWire += 1;
      return { kind: 'publish', packetId, delivery, duplicate: false };
    }
    return null;
  }

  /** A new connection: everything in flight is sent again, in the order of the first sending [MQTT-4.4.0-1], [MQTT-4.6.0-1]. */
  reconnect(): void {
    this.#onWire = 0;
    for (const entry of this.#inFlight.values()) entry.onWire = false;
    this.#resend = [...this.#inFlight.keys()];
  }

  /** PUBACK: the delivery that is done; null where the packet id is not known as one of QoS 1. */
  puback(packetId: number): Delivery | null {
    const entry = this.#inFlight.get(packetId);
    if (entry === undefined || entry.delivery.qos !== 1) return null;
    return this.#finish(packetId, entry);
  }

  /** PUBREC with success: PUBREL is to be sent. Null where the packet id is not known as one of QoS 2. */
  pubrec(packetId: number): Delivery | null {
    const entry = this.#inFlight.get(packetId);
    if (entry === undefined || entry.delivery.qos !== 2) return null;
    entry.stage = 'pubrel';
    return entry.delivery;
  }

  /** PUBREC with an error: the delivery is over (4.3.3). */
  pubrecRefused(packetId: number): Delivery | null {
    const entry = this.#inFlight.get(packetId);
    if (entry === undefined || entry.delivery.qos !== 2 || entry.stage === 'pubrel') return null;
    return this.#finish(packetId, entry);
  }

  pubcomp(packetId: number): Delivery | null {
    const entry = this.#inFlight.get(packetId);
    if (entry?.stage !== 'pubrel') return null;
    return this.#finish(packetId, entry);
  }

  /**
   * Hands those that came through a share and may still go to somebody else to `handOver`, in order: QoS 1 without an answer, and
   * what was never sent. It says whether it takes it; where not, the delivery stays.
   */
  offerShared(handOver: (delivery: Delivery) => boolean): void {
    this.#shares = null;
    const takes = (delivery: Delivery): boolean => {
      if (delivery.shared === undefined) return false;
      const isTaken = handOver(delivery);
      if (!isTaken) this.#noteShare(delivery);
      return isTaken;
    };
    for (const [packetId, entry] of this.#inFlight) {
      if (entry.delivery.qos === 1 && takes(entry.delivery)) this.#finish(packetId, entry);
    }
    // Runs with nothing of a share in them are passed over.
    this.#queue.take(takes, ({ shared }) => shared.length > 0);
    this.#recount();
  }

  /** Takes what has expired out of the queue [MQTT-3.3.2-5]. */
  takeExpired(nowMs: number): readonly Delivery[] {
    if (this.#nextExpiryMs > nowMs) return NONE;
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    const isOver = (expiresAtMs: number): boolean => {
      if (expiresAtMs <= nowMs) return true;
      this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiresAtMs);
      return false;
    };
    const expired = this.#queue.take(
      ({ message }) => isOver(message.expiresAtMs),
      ({ nextExpiryMs }) => isOver(nextExpiryMs),
    );
    this.#recount();
    return expired;
  }

  /** Takes those that were never sent and that `isWanted` wants. */
  takeQueued(isWanted: (delivery: Delivery) => boolean): readonly Delivery[] {
    const taken = this.#queue.take(isWanted, () => true);
    this.#recount();
    return taken;
  }

  /** Lets go of everything: the session has ended. */
  clear(): void {
    this.countIn(null);
    this.#queue.clear();
    this.#queueBytes = 0;
    this.#shares = null;
    this.#inFlight.clear();
    this.#inFlightBytes = 0;
    this.#resend = [];
    this.#onWire = 0;
  }

  /** Everything unfinished at the moment of the first step, for a snapshot: what is in flight first, then the queue. */
  *unfinished(): Generator<Waiting> {
    const queued = this.#queue.snapshot();
    const sent = Array.from(this.#inFlight.values(), ({ delivery }) => delivery);
    const first = queued.next();
    try {
      for (const delivery of sent) yield { delivery, isSpooled: false };
      if (first.done !== true) yield first.value;
      yield* queued;
    } finally {
      queued.return(undefined);
    }
  }

  /** What is in flight at this moment. */
  sent(): { delivery: Delivery; packetId: number; stage: 'publish' | 'pubrel' }[] {
    return Array.from(this.#inFlight, ([packetId, { delivery, stage }]) => ({ delivery, packetId, stage }));
  }

  /** Puts back what was in flight before a restart. */
  restore(delivery: Delivery, packetId: number, stage: 'publish' | 'pubrel'): void {
    this.#inFlight.set(packetId, { delivery, stage, onWire: false });
    this.#noteShare(delivery);
    this.#countInFlight(messageBytes(delivery.message));
    this.#lastPacketId = packetId;
  }

  #noteShare({ shared }: Delivery): void {
    if (shared === undefined) return;
    this.#shares ??= new Set();
    this.#shares.add(shared.share);
  }

  #finish(packetId: number, entry: InFlight): Delivery {
    this.#inFlight.delete(packetId);
    this.#countInFlight(-messageBytes(entry.delivery.message));
    if (entry.onWire) this.#onWire -= 1;
    return entry.delivery;
  }

  #countInFlight(bytes: number): void {
    this.#inFlightBytes += bytes;
    this.#usage?.add('inFlight', bytes);
  }

  #shift(): Delivery | undefined {
    const delivery = this.#queue.shift();
    if (delivery === undefined) this.#trimmedTo = Number.POSITIVE_INFINITY;
    this.#recount();
    return delivery;
  }

  #recount(): void {
    const bytes = this.#queue.byteLength;
    this.#usage?.add('queue', bytes - this.#queueBytes);
    this.#queueBytes = bytes;
  }

  /** Never called with all 65,535 in flight: the receive maximum is lower. */
  #freePacketId(): number {
    do this.#lastPacketId = this.#lastPacketId === 65_535 ? 1 : this.#lastPacketId + 1;
    while (this.#inFlight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}

const NONE: readonly Delivery[] = [];
