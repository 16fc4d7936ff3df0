/**
 * What becomes of a PUBLISH from a client: into the group commit, to subscribers, both, or refused. The hot path: for a
 * message to the log it copies the payload once (into the batch) and makes no object but that view.
 */
import type { BrokerContext } from './broker-context.ts';
import type { Connection } from './connection.ts';
import type { Message } from './message.ts';
import type { ClientIdentity, PublishRoute } from './options.ts';
import { PACKET } from './packets/frame.ts';
import { forwardedBytes } from './packets/properties.ts';
import { ProtocolError } from './packets/protocol-error.ts';
import { decodePublish, PublishFields } from './packets/publish.ts';
import { REASON } from './packets/reason-codes.ts';
import type { PublishOutcome } from './router/router.ts';
import { checkTopicName } from './router/topic.ts';
import type { Session, Will } from './session/session.ts';
import { TopicCache, type TopicEntry } from './session/topic-cache.ts';
import { SYSTEM_LEVEL } from './system-topics.ts';

/** One for the thread: a packet is decoded and dealt with before the next one is looked at. */
const fields = new PublishFields();

const ROUTED_BEFORE: PublishOutcome = { subscriberCount: 1, isRetained: true };

/** The publishing half of one connection. */
export class InboundPublish {
  readonly #context: BrokerContext;
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #topics: TopicCache;
  #aliases: TopicEntry[] | null = null;
  /** QoS 1 and 2 messages that were not answered yet. */
  #unanswered = 0;
  #refusedTopic = '';

  constructor(context: BrokerContext, connection: Connection, session: Session) {
    this.#context = context;
    this.#connection = connection;
    this.#session = session;
    this.#topics = new TopicCache(context.limits);
  }

  /** Takes one PUBLISH. Throws a ProtocolError. */
  take(firstByte: number, buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    decodePublish(firstByte, buffer, start, end, connection.protocolVersion, fields);
    const entry = this.#topicEntry(buffer);
    this.#context.counters.messagesReceived += 1;
    if (fields.qos > 0) this.#countUnanswered();
    if (fields.qos === 2 && this.#isKnown(fields.packetId)) return;
    const route = this.#route(entry);
    const payload = buffer.subarray(fields.payloadStart, fields.payloadEnd);
    if (route.to === 'log') this.#toLog(route, payload);
    else this.#elsewhere(route, entry, payload, buffer);
  }

  /** One message was answered with PUBACK, PUBCOMP or a PUBREC that ends it. */
  answered(): void {
    if (this.#unanswered > 0) this.#unanswered -= 1;
  }

  /** [MQTT-4.3.3-10]: came in before, so it is only answered; behind the batch that it may still be in, and failing with it. */
  #isKnown(packetId: number): boolean {
    const { commit } = this.#context;
    const known = this.#session.receivedQos2.get(packetId);
    if (known === undefined || known === 'routed') return false;
    this.#connection.addPending(commit.acknowledge(this.#connection, PACKET.pubrec, packetId, REASON.success));
    if (known !== 'taken') commit.tie(this.#connection, known);
    return true;
  }

  #toLog(route: Extract<PublishRoute, { to: 'log' | 'both' }>, payload: Uint8Array): void {
    const { commit } = this.#context;
    const connection = this.#connection;
    const answer = answerTo(fields.qos);
    connection.addPending(
      commit.record(connection, route.origin, connection.receivedTime, payload, answer, fields.packetId),
    );
    if (fields.qos === 2) commit.received(this.#session, fields.packetId, route.to);
  }

  #elsewhere(route: PublishRoute, entry: TopicEntry, payload: Buffer, buffer: Buffer): void {
    if (route.to === 'refused') {
      this.#refused(route.reasonCode, route.reason, entry);
      return;
    }
    const { qos, packetId } = fields;
    const outcome = this.#publish(entry, payload, buffer);
    if (route.to === 'both') {
      this.#toLog(route, payload);
      return;
    }
    const connection = this.#connection;
    if (qos === 0) {
      // Nobody waits for it, but while the session store has it to write it counts, and holds its sender back.
      if (fields.retain) connection.addPending(this.#context.commit.acknowledge(connection, 0, 0, 0, payload.length));
      return;
    }
    // It is with its subscribers, so it is a success all the same: whoever sent it again would have it delivered twice.
    if (!outcome.isRetained) connection.explain(packetId, 'delivered, but there is no room to retain it');
    const reasonCode = outcome.subscriberCount === 0 ? REASON.noMatchingSubscribers : REASON.success;
    connection.addPending(
      this.#context.commit.acknowledge(connection, answerTo(qos), packetId, reasonCode, payload.length),
    );
    if (qos === 2) this.#context.commit.received(this.#session, packetId, 'clients');
  }

  /** To the subscribers, unless they have it since the log has failed for it. */
  #publish(entry: TopicEntry, payload: Buffer, buffer: Buffer): PublishOutcome {
    if (fields.qos === 2 && this.#session.receivedQos2.get(fields.packetId) === 'routed') return ROUTED_BEFORE;
    const message = this.#message(entry, payload, buffer);
    return this.#context.router.publish(this.#session.identity.organizationId, message, this.#session);
  }

  /** MQTT 5: a negative answer. MQTT 3.1.1 has none, so QoS 1 and 2 close the connection [MQTT-3.3.5-2]. QoS 0: told once. */
  #refused(reasonCode: number, reason: string, entry: TopicEntry): void {
    const connection = this.#connection;
    this.#context.counters.messagesRefused += 1;
    if (this.#refusedTopic !== entry.topic) {
      this.#refusedTopic = entry.topic;
      const { identity, clientId } = this.#session;
      this.#context.logger.warn(
        { deviceId: identity.deviceId, clientId, topic: entry.topic, reason },
        'a message was refused',
      );
    }
    if (fields.qos === 0) return;
    if (connection.protocolVersion === 4) throw new ProtocolError(reasonCode, reason);
    connection.explain(fields.packetId, reason);
    connection.addPending(
      this.#context.commit.acknowledge(connection, answerTo(fields.qos), fields.packetId, reasonCode),
    );
  }

  #countUnanswered(): void {
    this.#unanswered += 1;
    const { receiveMaximum } = this.#context.limits;
    // [MQTT-3.3.4-8]; MQTT 3.1.1 has no such limit, there the connection's byte budget holds it back.
    if (this.#unanswered > receiveMaximum && this.#connection.protocolVersion === 5) {
      throw new ProtocolError(REASON.receiveMaximumExceeded, `more than ${receiveMaximum} messages without an answer`);
    }
  }

  #topicEntry(buffer: Buffer): TopicEntry {
    const { topicAlias } = fields.properties;
    if (topicAlias === undefined) return this.#topics.find(buffer, fields.topicStart, fields.topicEnd);
    if (topicAlias > this.#context.limits.topicAliasMaximum) {
      throw new ProtocolError(REASON.topicAliasInvalid, `topic alias ${topicAlias} is over the maximum`); // [MQTT-3.3.2-9]
    }
    this.#aliases ??= [];
    if (fields.topicEnd > fields.topicStart) {
      const entry = this.#topics.find(buffer, fields.topicStart, fields.topicEnd);
      this.#aliases[topicAlias] = entry;
      return entry;
    }
    const entry = this.#aliases[topicAlias];
    if (entry === undefined)
      throw new ProtocolError(REASON.protocolError, `topic alias ${topicAlias} was not set before`); // 3.3.2.3.4
    return entry;
  }

  #route(entry: TopicEntry): PublishRoute {
    const epoch = this.#context.routeEpoch.current;
    if (entry.route === null || entry.epoch !== epoch) {
      entry.route = routeOf(this.#context, this.#session.identity, entry.topic);
      entry.epoch = epoch;
    }
    return entry.route;
  }

  #message(entry: TopicEntry, payload: Buffer, buffer: Buffer): Message {
    const { messageExpiryInterval } = fields.properties;
    return {
      topic: entry.topic,
      payload: new Uint8Array(payload),
      qos: fields.qos,
      retain: fields.retain,
      properties: forwardedBytes(buffer, fields.properties),
      expiresAtMs: expiryOf(messageExpiryInterval ?? null, this.#context.clock.nowMs()),
    };
  }
}

/** Publishes the will of a session whose client has gone, by the same rules as its messages. */
export function publishWill(context: BrokerContext, session: Session, will: Will): void {
  const { identity } = session;
  checkTopicName(will.message.topic);
  const route = routeOf(context, identity, will.message.topic);
  if (route.to === 'refused') {
    context.counters.messagesRefused += 1;
    context.logger.warn(
      { deviceId: identity.deviceId, topic: will.message.topic, reason: route.reason },
      'a will was refused',
    );
    return;
  }
  const message = { ...will.message, expiresAtMs: expiryOf(will.expiryS, context.clock.nowMs()) };
  if (route.to !== 'log')
    context.router.publish(identity.organizationId, message, null, context.budgets.device(identity));
  if (route.to !== 'clients')
    context.commit.record(null, route.origin, context.clock.nowMicros(), message.payload, 0, 0);
}

const SYSTEM_REFUSAL: PublishRoute = {
  to: 'refused',
  reasonCode: REASON.notAuthorized,
  reason: `topics under ${SYSTEM_LEVEL} are for the broker to publish`,
};

/** Where a message of this client goes. 4.7.2: what the server says about itself comes from nobody else. */
export function routeOf(context: BrokerContext, identity: ClientIdentity, topic: string): PublishRoute {
  const isSystem = topic === SYSTEM_LEVEL || topic.startsWith(`${SYSTEM_LEVEL}/`);
  return isSystem ? SYSTEM_REFUSAL : context.options.route(identity, topic);
}

function answerTo(qos: number): number {
  if (qos === 0) return 0;
  return qos === 1 ? PACKET.puback : PACKET.pubrec;
}

function expiryOf(intervalS: number | null, nowMs: number): number {
  return intervalS === null ? Number.POSITIVE_INFINITY : nowMs + intervalS * 1000;
}
