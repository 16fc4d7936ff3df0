/** Packets of a connected client other than PUBLISH and DISCONNECT: each is decoded and goes to whom it concerns. */
import type { BrokerContext } from './broker-context.ts';
import type { Connection } from './connection.ts';
import type { OutboundPublish } from './outbound-publish.ts';
import { refuseAuth } from './packets/auth.ts';
import { PACKET } from './packets/frame.ts';
import type { PacketReader } from './packets/packet-reader.ts';
import { decodePingreq, PINGRESP } from './packets/pingreq.ts';
import { ProtocolError } from './packets/protocol-error.ts';
import { decodePuback } from './packets/puback.ts';
import { decodePubcomp } from './packets/pubcomp.ts';
import { decodePubrec } from './packets/pubrec.ts';
import { decodePubrel } from './packets/pubrel.ts';
import { REASON } from './packets/reason-codes.ts';
import { decodeSubscribe } from './packets/subscribe.ts';
import { decodeUnsubscribe } from './packets/unsubscribe.ts';
import type { Session } from './session/session.ts';
import { subscribe, unsubscribe } from './subscribing.ts';

/** Throws a ProtocolError, also for packets that have no place here. */
export function takePacket(
  context: BrokerContext,
  connection: Connection,
  session: Session,
  outbound: OutboundPublish,
  packetType: number,
  reader: PacketReader,
): void {
  const { protocolVersion } = connection;
  switch (packetType) {
    case PACKET.puback:
      outbound.puback(decodePuback(reader, protocolVersion));
      return;
    case PACKET.pubrec:
      outbound.pubrec(decodePubrec(reader, protocolVersion));
      return;
    case PACKET.pubrel:
      takePubrel(context, connection, session, decodePubrel(reader, protocolVersion).packetId);
      return;
    case PACKET.pubcomp:
      outbound.pubcomp(decodePubcomp(reader, protocolVersion));
      return;
    case PACKET.subscribe:
      subscribe(context, connection, session, decodeSubscribe(reader, protocolVersion));
      return;
    case PACKET.unsubscribe:
      unsubscribe(context, connection, session, decodeUnsubscribe(reader, protocolVersion));
      return;
    case PACKET.pingreq:
      decodePingreq(reader);
      connection.write(PINGRESP); // [MQTT-3.12.4-1]
      return;
    case PACKET.auth:
      if (protocolVersion === 5) refuseAuth(reader);
  }
  // [MQTT-3.1.0-2]: a second CONNECT; or a type that this version does not have.
  throw new ProtocolError(REASON.protocolError, `packet type ${packetType} is not allowed here`);
}

/** The packet id is free when PUBCOMP goes out, and PUBCOMP goes out when that is durable (4.3.3). */
function takePubrel(
  { commit, store }: BrokerContext,
  connection: Connection,
  session: Session,
  packetId: number,
): void {
  const known = session.receivedQos2.get(packetId);
  const isKnown = known !== undefined && known !== 'routed';
  session.receivedQos2.delete(packetId);
  if (known === 'taken' && session.isPersistent) store.note({ kind: 'completed', key: session.key, packetId });
  const reasonCode = isKnown ? REASON.success : REASON.packetIdentifierNotFound;
  connection.addPending(commit.acknowledge(connection, PACKET.pubcomp, packetId, reasonCode));
  // A client that did not wait for PUBREC: its message may still be lost.
  if (typeof known === 'object') commit.tie(connection, known);
}
