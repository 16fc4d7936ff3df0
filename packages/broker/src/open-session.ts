/**
 * From a decoded CONNECT to a session: client id, authentication, the right to the will's topic, take-over, the terms of
 * both sides (MQTT 5, 3.1.4). Gives either the session or the reason for refusing; writes nothing.
 */
import { randomUUID } from 'node:crypto';
import { messageOf } from '@fieldline/kit';
import type { BrokerContext } from './broker-context.ts';
import { routeOf } from './inbound-publish.ts';
import type { Message } from './message.ts';
import type { Authentication, ClientIdentity, ConnectRequest } from './options.ts';
import type { ClientTerms } from './outbound-publish.ts';
import { encodeConnackAccepted, type ServerTerms } from './packets/connack.ts';
import type { ConnectPacket } from './packets/connect.ts';
import { ProtocolError } from './packets/protocol-error.ts';
import { REASON } from './packets/reason-codes.ts';
import { dropForbidden } from './rights-review.ts';
import { checkTopicSize } from './router/topic.ts';
import { EXPIRY_NEVER_S, type Session, type Will } from './session/session.ts';

const CLIENT_ID_LENGTH_MAX = 256;

export interface OpenedSession {
  readonly session: Session;
  readonly isPresent: boolean;
  readonly serverTerms: ServerTerms;
  readonly clientTerms: ClientTerms;
  /** 0 = no keep-alive. */
  readonly keepAliveS: number;
}

/** What the socket tells about the other side. */
export type PeerFacts = Pick<
  ConnectRequest,
  'certificateCommonName' | 'certificateFingerprint' | 'remoteAddress' | 'secure'
>;

/** Checks what can be checked without asking anybody. Throws a ProtocolError with the reason for CONNACK. */
export function checkConnect(packet: ConnectPacket): void {
  if (packet.properties.authenticationMethod !== undefined) {
    throw new ProtocolError(
      REASON.badAuthenticationMethod,
      'enhanced authentication is not offered; use a user name and token or a client certificate',
    );
  }
  // MQTT 3.1.1 [MQTT-3.1.3-8]: without a client id there is no session to come back to.
  if (packet.protocolVersion === 4 && packet.clientId === '' && !packet.clean) {
    throw new ProtocolError(REASON.clientIdentifierNotValid, 'an empty client id needs a clean session');
  }
  if (packet.clientId.length > CLIENT_ID_LENGTH_MAX) {
    throw new ProtocolError(
      REASON.clientIdentifierNotValid,
      `the client id is longer than ${CLIENT_ID_LENGTH_MAX} characters`,
    );
  }
}

/** Who is it? A broken check refuses, it never lets in. Throws a ProtocolError. */
export async function identify(
  context: BrokerContext,
  packet: ConnectPacket,
  peer: PeerFacts,
): Promise<ClientIdentity> {
  const { clientId, userName, password, protocolVersion } = packet;
  let answer: Authentication;
  try {
    answer = await context.options.authenticate({ ...peer, clientId, userName, password, protocolVersion });
  } catch (error) {
    context.logger.error(
      { clientId, error: messageOf(error) },
      'a client could not be authenticated; it is refused for now',
    );
    throw new ProtocolError(REASON.serverUnavailable, 'the client cannot be checked at the moment; try again later');
  }
  if (!answer.accepted) throw new ProtocolError(answer.reasonCode, answer.reason);
  return answer.identity;
}

/**
 * Opens the session. Whoever is connected to it is taken over when nothing speaks against the new client any more
 * [MQTT-3.1.4-2], [MQTT-3.1.4-3]. Throws a ProtocolError.
 */
export function openSession(context: BrokerContext, packet: ConnectPacket, identity: ClientIdentity): OpenedSession {
  const { limits, registry } = context;
  const clientId = packet.clientId === '' ? `auto-${randomUUID()}` : packet.clientId;
  const before = registry.find(identity, clientId);
  const expiryIntervalS = expiryOf(packet, limits.sessionExpiryMaxS);
  const will = willOf(context, packet, identity);
  const { keepAliveS, serverKeepAliveS } = keepAliveOf(packet, limits.keepAliveMaxS);
  const serverTerms: ServerTerms = {
    sessionExpiryIntervalS: expiryIntervalS === (packet.properties.sessionExpiryInterval ?? 0) ? null : expiryIntervalS,
    receiveMaximum: limits.receiveMaximum,
    packetBytesMax: limits.packetBytesMax,
    topicAliasMaximum: limits.topicAliasMaximum,
    assignedClientId: packet.clientId === '' ? clientId : null, // [MQTT-3.1.3-6]
    serverKeepAliveS,
    // 3.1.2.11.6: only where the client asked.
    responseInformation:
      packet.properties.requestResponseInformation === 1
        ? (context.options.responseInformation?.(identity) ?? null)
        : null,
  };
  checkGreeting(packet, serverTerms);
  if (before === undefined) makeRoomForSession(context, identity);
  before?.link?.takenOver();
  const opened = registry.open({ identity, clientId, clean: packet.clean, expiryIntervalS, will });
  if (opened.isPresent) dropForbidden(context, opened.session);
  return { ...opened, keepAliveS, serverTerms, clientTerms: clientTermsOf(packet, limits) };
}

function clientTermsOf({ properties }: ConnectPacket, limits: BrokerContext['limits']): ClientTerms {
  return {
    receiveMaximum: Math.min(properties.receiveMaximum ?? 65_535, limits.inFlightMax),
    packetBytesMax: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: Math.min(properties.topicAliasMaximum ?? 0, limits.topicAliasMaximum),
    problemInformation: properties.requestProblemInformation !== 0,
  };
}

/** [MQTT-3.1.2-24]: what the client must know has to fit into what it takes. */
function checkGreeting({ protocolVersion, properties }: ConnectPacket, terms: ServerTerms): void {
  if (properties.maximumPacketSize === undefined) return;
  const byteLength = encodeConnackAccepted(protocolVersion, false, terms).length;
  if (byteLength <= properties.maximumPacketSize) return;
  throw new ProtocolError(
    REASON.packetTooLarge,
    `a CONNACK of ${byteLength} bytes is over the client's Maximum Packet Size`,
  );
}

/** One more session: the device's own oldest gives way, never another device's. Throws a ProtocolError where there is no room. */
function makeRoomForSession({ budgets, counters, limits, registry }: BrokerContext, identity: ClientIdentity): void {
  const device = budgets.device(identity);
  if (device.sessions.size >= limits.sessionsPerDeviceMax) {
    const oldest = registry.longestAlone(device);
    if (oldest === undefined) {
      throw new ProtocolError(
        REASON.quotaExceeded,
        `${identity.deviceId} has ${limits.sessionsPerDeviceMax} connections already`,
      );
    }
    counters.sessionsDisplaced += 1;
    registry.end(oldest);
  }
  if (registry.count >= limits.sessionsMax) {
    throw new ProtocolError(REASON.quotaExceeded, `there are ${limits.sessionsMax} sessions already`);
  }
}

/** MQTT 3.1.1's unclean session has no end of its own: it gets the longest that there is. */
function expiryOf(packet: ConnectPacket, sessionExpiryMaxS: number): number {
  const asked =
    packet.protocolVersion === 4 ? (packet.clean ? 0 : EXPIRY_NEVER_S) : (packet.properties.sessionExpiryInterval ?? 0);
  return Math.min(asked, sessionExpiryMaxS);
}

function keepAliveOf(
  packet: ConnectPacket,
  keepAliveMaxS: number | null,
): { keepAliveS: number; serverKeepAliveS: number | null } {
  const asked = packet.keepAliveS;
  const isTooLong = keepAliveMaxS !== null && (asked === 0 || asked > keepAliveMaxS);
  // Only MQTT 5 clients can be told (3.2.2.3.14).
  if (!isTooLong || packet.protocolVersion === 4) return { keepAliveS: asked, serverKeepAliveS: null };
  return { keepAliveS: keepAliveMaxS, serverKeepAliveS: keepAliveMaxS };
}

function willOf(context: BrokerContext, packet: ConnectPacket, identity: ClientIdentity): Will | null {
  if (packet.will === null) return null;
  const { topic, payload, qos, retain, properties, forwarded } = packet.will;
  checkTopicSize(topic, context.limits.topicLengthMax, context.limits.topicLevelsMax);
  const route = routeOf(context, identity, topic);
  if (route.to === 'refused') throw new ProtocolError(route.reasonCode, `the will: ${route.reason}`);
  const message: Message = {
    topic,
    payload,
    qos,
    retain,
    properties: forwarded,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
  return { message, delayS: properties.willDelayInterval ?? 0, expiryS: properties.messageExpiryInterval ?? null };
}

/** DISCONNECT with another session expiry (3.14.2.2.2). Throws a ProtocolError. */
export function changeExpiry({ limits, registry }: BrokerContext, session: Session, expiryIntervalS: number): void {
  // A session that was to end with its connection cannot be kept after all.
  if (expiryIntervalS > 0 && session.expiryIntervalS === 0) {
    throw new ProtocolError(REASON.protocolError, 'DISCONNECT raises the session expiry from 0');
  }
  registry.changeExpiry(session, Math.min(expiryIntervalS, limits.sessionExpiryMaxS));
}
