/** SUBSCRIBE (MQTT 5, 3.8): filters with their options. */
import type { ProtocolVersion, QoS } from '../message.ts';
import { parseFilter } from '../router/topic.ts';
import type { PacketReader } from './packet-reader.ts';
import { readProperties } from './properties.ts';
import { malformed, protocolViolation } from './protocol-error.ts';

/** 0 = send retained messages, 1 = only where the subscription is new, 2 = never (3.8.3.1). */
export type RetainHandling = 0 | 1 | 2;

export interface SubscriptionRequest {
  /** As the client wrote it, with $share/… where it is shared. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
}

export interface SubscribePacket {
  readonly packetId: number;
  /** null = none was given. */
  readonly subscriptionIdentifier: number | null;
  readonly subscriptions: readonly SubscriptionRequest[];
}

export function decodeSubscribe(reader: PacketReader, protocolVersion: ProtocolVersion): SubscribePacket {
  const packetId = reader.uint16();
  if (packetId === 0) throw protocolViolation('SUBSCRIBE has packet identifier 0'); // [MQTT-2.2.1-3]
  const subscriptionIdentifier =
    protocolVersion === 5 ? (readProperties(reader, 'subscribe').subscriptionIdentifier ?? null) : null;
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) subscriptions.push(readSubscription(reader, protocolVersion));
  if (subscriptions.length === 0) throw protocolViolation('SUBSCRIBE has no topic filter'); // [MQTT-3.8.3-2]
  return { packetId, subscriptionIdentifier, subscriptions };
}

/** options: bits 7-6 reserved | 5-4 retain handling | 3 retain as published | 2 no local | 1-0 QoS */
function readSubscription(reader: PacketReader, protocolVersion: ProtocolVersion): SubscriptionRequest {
  const filter = reader.string();
  const { share } = parseFilter(filter);
  const options = reader.byte();
  // [MQTT-3.8.3-5]; in MQTT 3.1.1 all bits but the QoS are reserved [MQTT-3-8.3-4].
  if ((options & (protocolVersion === 5 ? 0xc0 : 0xfc)) !== 0) throw malformed('reserved subscription options are set');
  if ((options & 3) === 3) {
    throw protocolVersion === 5 ? protocolViolation('SUBSCRIBE asks for QoS 3') : malformed('SUBSCRIBE asks for QoS 3');
  }
  const retainHandling = (options >> 4) & 3;
  if (retainHandling === 3) throw protocolViolation('retain handling 3 does not exist');
  const noLocal = (options & 4) !== 0;
  if (noLocal && share !== null) throw protocolViolation('a shared subscription with "no local"'); // [MQTT-3.8.3-4]
  return {
    filter,
    qos: (options & 3) as QoS,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as RetainHandling,
  };
}
