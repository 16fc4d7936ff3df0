/** CONNACK (MQTT 5, 3.2; MQTT 3.1.1, 3.2). */
import { generate } from 'mqtt-packet';
import type { ProtocolVersion } from '../message.ts';
import { connectReturnCode } from './reason-codes.ts';

/** What the server tells an MQTT 5 client about itself. */
export interface ServerTerms {
  readonly sessionExpiryIntervalS: number | null;
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  readonly topicAliasMaximum: number;
  readonly assignedClientId: string | null;
  readonly serverKeepAliveS: number | null;
  /** Root of topics for answers to this client, where it asked for one (3.2.2.3.15). */
  readonly responseInformation: string | null;
}

export function encodeConnackAccepted(
  protocolVersion: ProtocolVersion,
  sessionPresent: boolean,
  terms: ServerTerms,
): Buffer {
  if (protocolVersion === 4) return Buffer.from([0x20, 2, sessionPresent ? 1 : 0, 0]);
  return generate(
    {
      cmd: 'connack',
      reasonCode: 0,
      sessionPresent,
      properties: {
        receiveMaximum: terms.receiveMaximum,
        maximumPacketSize: terms.packetBytesMax,
        topicAliasMaximum: terms.topicAliasMaximum,
        ...(terms.sessionExpiryIntervalS !== null && { sessionExpiryInterval: terms.sessionExpiryIntervalS }),
        ...(terms.assignedClientId !== null && { assignedClientIdentifier: terms.assignedClientId }),
        ...(terms.serverKeepAliveS !== null && { serverKeepAlive: terms.serverKeepAliveS }),
        ...(terms.responseInformation !== null && { responseInformation: terms.responseInformation }),
      },
    },
    { protocolVersion: 5 },
  );
}

/**
 * A refusal; null where the version has no code for it and the connection is closed without a word (3.1.1). `reason` is
 * left out where it is empty or the packet would be over packetBytesMax [MQTT-3.2.2-19].
 */
export function encodeConnackRefused(
  protocolVersion: ProtocolVersion,
  reasonCode: number,
  reason: string,
  packetBytesMax: number,
): Buffer | null {
  if (protocolVersion === 4) {
    const returnCode = connectReturnCode(reasonCode);
    return returnCode === null ? null : Buffer.from([0x20, 2, 0, returnCode]);
  }
  const packet = generate(
    { cmd: 'connack', reasonCode, sessionPresent: false, properties: { reasonString: reason } },
    { protocolVersion: 5 },
  );
  return reason !== '' && packet.length <= packetBytesMax ? packet : Buffer.from([0x20, 3, 0, reasonCode, 0]);
}
