/**
 * What a connected client is sent: QoS 0 at once or not at all, QoS 1 and 2 from the session's queue as far as the client's
 * receive maximum and its reading allow, and what its acknowledgements mean. The subscribing half of one connection.
 */
import type { BrokerContext } from './broker-context.ts';
import type { Connection } from './connection.ts';
import type { Delivery, Message, ProtocolVersion } from './message.ts';
import type { Acknowledgement } from './packets/acknowledgement.ts';
import { encodeExplained, writeAcknowledgement } from './packets/acknowledgement.ts';
import { PACKET } from './packets/frame.ts';
import { encodePublish } from './packets/publish.ts';
import { REASON } from './packets/reason-codes.ts';
import type { Session } from './session/session.ts';

export interface ClientTerms {
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  readonly topicAliasMaximum: number;
  /** Reasons in words are wanted (3.1.2.11.7). */
  readonly problemInformation: boolean;
}

/** The last QoS 0 packet: the same bytes go to every subscriber of a message. */
const shared = {
  message: null as Message | null,
  protocolVersion: 0 as ProtocolVersion | 0,
  retain: false,
  packet: Buffer.alloc(0) as Buffer,
};

export class OutboundPublish {
  readonly #context: BrokerContext;
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #terms: ClientTerms;
  #aliases: Map<string, number> | null = null;

  constructor(context: BrokerContext, connection: Connection, session: Session, terms: ClientTerms) {
    this.#context = context;
    this.#connection = connection;
    this.#session = session;
    this.#terms = terms;
  }

  sendQos0(delivery: Delivery): void {
    if (this.#terms.topicAliasMaximum === 0) this.#send(this.#sharedPacket(delivery));
    else this.#sendPublish(delivery, 0, false);
  }

  /** Sends what is waiting, until the client has enough unanswered or reads too slowly. */
  pump(): void {
    const { outbound, key } = this.#session;
    while (!this.#connection.isSlow) {
      const work = outbound.next(this.#terms.receiveMaximum, this.#context.clock.nowMs(), this.#expired);
      if (work === null) {
        // What is retained comes behind what waits, one by one.
        if (outbound.queuedCount > 0 || !this.#context.router.sendNextRetained(this.#session)) return;
        continue;
      }
      if (work.kind === 'pubrel') {
        this.#acknowledge(PACKET.pubrel, work.packetId, REASON.success);
        continue;
      }
      if (!this.#sendPublish(work.delivery, work.packetId, work.duplicate)) {
        // [MQTT-3.1.2-25]: too large for the client: as if it had been sent.
        this.#done(work.delivery.qos === 1 ? outbound.puback(work.packetId) : outbound.pubrecRefused(work.packetId));
      } else if (work.delivery.id > 0 && !work.duplicate) {
        this.#context.store.note({ kind: 'sent', key, id: work.delivery.id, packetId: work.packetId });
      }
    }
  }

  puback({ packetId }: Acknowledgement): void {
    this.#done(this.#session.outbound.puback(packetId));
    this.pump();
  }

  pubrec({ packetId, reasonCode }: Acknowledgement): void {
    const { outbound, key } = this.#session;
    if (reasonCode >= 0x80) {
      this.#done(outbound.pubrecRefused(packetId));
      this.pump();
      return;
    }
    const delivery = outbound.pubrec(packetId);
    if (delivery !== null && delivery.id > 0) this.#context.store.note({ kind: 'released', key, id: delivery.id });
    this.#acknowledge(PACKET.pubrel, packetId, delivery === null ? REASON.packetIdentifierNotFound : REASON.success);
  }

  pubcomp({ packetId }: Acknowledgement): void {
    this.#done(this.#session.outbound.pubcomp(packetId));
    this.pump();
  }

  #done(delivery: Delivery | null): void {
    delivery?.shared?.lane.release();
    if (delivery !== null && delivery.id > 0) {
      this.#context.store.note({ kind: 'delivered', key: this.#session.key, id: delivery.id });
    }
  }

  readonly #expired = (delivery: Delivery): void => {
    this.#context.counters.dropped.expired += 1;
    this.#done(delivery);
  };

  #acknowledge(packetType: number, packetId: number, reasonCode: number): void {
    const { protocolVersion } = this.#connection;
    if (reasonCode !== 0 && protocolVersion === 5 && this.#terms.problemInformation) {
      const reason = `packet identifier ${packetId} is not in use`;
      this.#connection.write(encodeExplained(packetType, packetId, reasonCode, reason, this.#terms.packetBytesMax));
      return;
    }
    const packet = Buffer.allocUnsafe(5);
    const end = writeAcknowledgement(packet, 0, packetType, packetId, reasonCode, protocolVersion);
    this.#connection.write(packet.subarray(0, end));
  }

  /** False where the client does not take packets of this size. */
  #send(packet: Buffer): boolean {
    if (packet.length > this.#terms.packetBytesMax) {
      this.#context.counters.dropped['packet-too-large'] += 1;
      return false;
    }
    this.#context.counters.messagesSent += 1;
    this.#connection.write(packet);
    return true;
  }

  #sharedPacket(delivery: Delivery): Buffer {
    const { protocolVersion } = this.#connection;
    if (delivery.subscriptionIdentifiers.length > 0) return this.#encode(delivery, 0, false);
    const { message, retain } = delivery;
    if (shared.message !== message || shared.protocolVersion !== protocolVersion || shared.retain !== retain) {
      shared.packet = this.#encode(delivery, 0, false);
      shared.message = message;
      shared.protocolVersion = protocolVersion;
      shared.retain = retain;
    }
    return shared.packet;
  }

  /** With a topic alias where the client has room for one. False where the client does not take packets of this size. */
  #sendPublish(delivery: Delivery, packetId: number, duplicate: boolean): boolean {
    const { topic } = delivery.message;
    const known = this.#aliases?.get(topic);
    if (known !== undefined) return this.#send(this.#encode(delivery, packetId, duplicate, known, true));
    const alias = this.#freeAlias();
    if (alias > 0) {
      const packet = this.#encode(delivery, packetId, duplicate, alias, false);
      if (packet.length <= this.#terms.packetBytesMax) {
        // Only a packet that goes out makes the alias known to the client.
        this.#aliases ??= new Map();
        this.#aliases.set(topic, alias);
        return this.#send(packet);
      }
    }
    return this.#send(this.#encode(delivery, packetId, duplicate));
  }

  #encode(delivery: Delivery, packetId: number, duplicate: boolean, topicAlias = 0, topicKnown = false): Buffer {
    return encodePublish(delivery, {
      protocolVersion: this.#connection.protocolVersion,
      packetId,
      duplicate,
      topicAlias,
      topicKnown,
      nowMs: this.#context.clock.nowMs(),
    });
  }

  /** The first topics get the client's aliases [MQTT-3.1.2-26]; 0 = none is left. */
  #freeAlias(): number {
    const used = this.#aliases?.size ?? 0;
    return used < this.#terms.topicAliasMaximum ? used + 1 : 0;
  }
}
