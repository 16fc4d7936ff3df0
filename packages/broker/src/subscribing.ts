/** SUBSCRIBE and UNSUBSCRIBE of a connected client (MQTT 5, 3.8.4, 3.10.4): decided per filter, answered when durable. */
import type { BrokerContext } from './broker-context.ts';
import type { Connection } from './connection.ts';
import { REASON } from './packets/reason-codes.ts';
import { encodeSuback } from './packets/suback.ts';
import type { SubscribePacket, SubscriptionRequest } from './packets/subscribe.ts';
import { encodeUnsuback } from './packets/unsuback.ts';
import type { UnsubscribePacket } from './packets/unsubscribe.ts';
import { levelCount, parseFilter } from './router/topic.ts';
import type { Session } from './session/session.ts';

export function subscribe(
  context: BrokerContext,
  connection: Connection,
  session: Session,
  packet: SubscribePacket,
): void {
  const reasons: string[] = [];
  const reasonCodes: number[] = packet.subscriptions.map((request) => {
    const refusal = refusalOf(context, session, request);
    if (refusal !== null) {
      reasons.push(refusal.reason);
      return refusal.reasonCode;
    }
    const { filter, qos, noLocal, retainAsPublished } = request;
    const subscription = { filter, qos, noLocal, retainAsPublished, identifier: packet.subscriptionIdentifier ?? 0 };
    const isNew = context.router.subscribe(session, subscription);
    const owesRetained = context.router.oweRetained(session, subscription, isNew, request.retainHandling);
    if (session.isPersistent)
      context.store.note({ kind: 'subscribed', key: session.key, subscription, ...(owesRetained && { owesRetained }) });
    return qos;
  });
  connection.whenDurable(() => {
    connection.answer(encodeAnswer(connection, packet.packetId, reasonCodes, reasons));
    context.router.beginRetained(session);
  });
}

export function unsubscribe(
  context: BrokerContext,
  connection: Connection,
  session: Session,
  packet: UnsubscribePacket,
): void {
  const reasonCodes = packet.filters.map((filter) => {
    if (!context.router.unsubscribe(session, filter)) return REASON.noSubscriptionExisted;
    if (session.isPersistent) context.store.note({ kind: 'unsubscribed', key: session.key, filter });
    return REASON.success;
  });
  connection.whenDurable(() =>
    connection.answer(encodeUnsuback(packet.packetId, reasonCodes, connection.protocolVersion)),
  );
}

/** The first reason stands for all; none where the client does not want to know or takes no packet of that size [MQTT-3.9.2-2]. */
function encodeAnswer(
  connection: Connection,
  packetId: number,
  reasonCodes: readonly number[],
  [reason = '']: readonly string[],
): Buffer {
  const { protocolVersion, clientPacketBytesMax } = connection;
  const packet = encodeSuback(packetId, reasonCodes, protocolVersion, connection.wantsReasons ? reason : '');
  return packet.length <= clientPacketBytesMax ? packet : encodeSuback(packetId, reasonCodes, protocolVersion);
}

interface Refusal {
  readonly reasonCode: number;
  readonly reason: string;
}

/** null = the subscription is allowed. */
function refusalOf(context: BrokerContext, session: Session, request: SubscriptionRequest): Refusal | null {
  const { topicLengthMax, topicLevelsMax, subscriptionsPerSessionMax } = context.limits;
  const { filter } = parseFilter(request.filter);
  if (filter.length > topicLengthMax || levelCount(filter) > topicLevelsMax) {
    const reason = `a topic filter has at most ${topicLengthMax} characters and ${topicLevelsMax} levels`;
    return { reasonCode: REASON.topicFilterInvalid, reason };
  }
  if (!session.subscriptions.has(request.filter) && session.subscriptions.size >= subscriptionsPerSessionMax) {
    const reason = `a session has at most ${subscriptionsPerSessionMax} subscriptions`;
    return { reasonCode: REASON.quotaExceeded, reason };
  }
  const full = context.router.fullFor(session, request.filter);
  if (full !== null) return { reasonCode: REASON.quotaExceeded, reason: `${full} holds too many subscriptions` };
  const decision = context.options.maySubscribe(session.identity, filter);
  if (decision.allowed) return null;
  const { identity, clientId } = session;
  context.logger.warn(
    { deviceId: identity.deviceId, clientId, filter, reason: decision.reason },
    'a subscription was refused',
  );
  return decision;
}
