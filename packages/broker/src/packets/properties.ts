/**
 * MQTT 5 properties (2.2.2): one table of what each is and where it may stand. Values come out by name; those that a broker
 * hands on unaltered with a message (3.3.2.3) are also given as they stood on the wire. User properties are checked and handed
 * on, never taken apart: however many a packet has, it costs no more than its bytes.
 */
import { NO_BYTES } from '../message.ts';
import type { PacketReader } from './packet-reader.ts';
import { malformed, ProtocolError, protocolViolation } from './protocol-error.ts';
import { REASON } from './reason-codes.ts';

export type PropertyOwner =
  | 'connect'
  | 'will'
  | 'publish'
  | 'acknowledgement'
  | 'subscribe'
  | 'unsubscribe'
  | 'disconnect'
  | 'auth';

export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifier?: number;
  sessionExpiryInterval?: number;
  authenticationMethod?: string;
  authenticationData?: Buffer;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumPacketSize?: number;
  /** Where those stand in the packet that go on to subscribers unaltered: start, end, start, end, …; see forwardedBytes(). */
  forwarded?: readonly number[];
}

type Kind = 'flag' | 'uint16' | 'uint32' | 'variable' | 'string' | 'binary';

interface Rule {
  /** null = of no meaning to a broker, and may stand more than once: a pair of strings. */
  readonly name: Exclude<keyof Properties, 'forwarded'> | null;
  readonly kind: Kind;
  readonly owners: readonly PropertyOwner[];
  /** Zero is a protocol error. */
  readonly notZero?: true;
  /** Goes on to subscribers unaltered. */
  readonly forwarded?: true;
}

const MESSAGE: readonly PropertyOwner[] = ['publish', 'will'];

const RULES: Readonly<Record<number, Rule>> = {
  1: { name: 'payloadFormatIndicator', kind: 'flag', owners: MESSAGE, forwarded: true },
  2: { name: 'messageExpiryInterval', kind: 'uint32', owners: MESSAGE },
  3: { name: 'contentType', kind: 'string', owners: MESSAGE, forwarded: true },
  8: { name: 'responseTopic', kind: 'string', owners: MESSAGE, forwarded: true },
  9: { name: 'correlationData', kind: 'binary', owners: MESSAGE, forwarded: true },
  // A client must not send it in PUBLISH [MQTT-3.3.4-6].
  11: { name: 'subscriptionIdentifier', kind: 'variable', owners: ['subscribe'], notZero: true },
  17: { name: 'sessionExpiryInterval', kind: 'uint32', owners: ['connect', 'disconnect'] },
  21: { name: 'authenticationMethod', kind: 'string', owners: ['connect', 'auth'] },
  22: { name: 'authenticationData', kind: 'binary', owners: ['connect', 'auth'] },
  23: { name: 'requestProblemInformation', kind: 'flag', owners: ['connect'] },
  24: { name: 'willDelayInterval', kind: 'uint32', owners: ['will'] },
  25: { name: 'requestResponseInformation', kind: 'flag', owners: ['connect'] },
  28: { name: 'serverReference', kind: 'string', owners: [] },
  31: { name: 'reasonString', kind: 'string', owners: ['acknowledgement', 'disconnect', 'auth'] },
  33: { name: 'receiveMaximum', kind: 'uint16', owners: ['connect'], notZero: true },
  34: { name: 'topicAliasMaximum', kind: 'uint16', owners: ['connect'] },
  35: { name: 'topicAlias', kind: 'uint16', owners: ['publish'], notZero: true },
  38: {
    name: null,
    kind: 'string',
    owners: ['connect', 'will', 'publish', 'acknowledgement', 'subscribe', 'unsubscribe', 'disconnect', 'auth'],
    forwarded: true,
  },
  39: { name: 'maximumPacketSize', kind: 'uint32', owners: ['connect'], notZero: true },
};

export const NO_PROPERTIES: Readonly<Properties> = Object.freeze({});

/** Reads a property block: its length, then the properties. Throws a ProtocolError for anything that is not allowed here. */
export function readProperties(reader: PacketReader, owner: PropertyOwner): Readonly<Properties> {
  const length = reader.variableInteger();
  if (length === 0) return NO_PROPERTIES;
  const end = reader.position + length;
  if (end > reader.end) throw malformed('the properties are longer than the packet');
  const properties: Properties = {};
  /** Start, end, start, end …; properties that stand side by side are one range. */
  const forwarded: number[] = [];
  while (reader.position < end) {
    const start = reader.position;
    const rule = readProperty(reader, owner, properties);
    if (reader.position > end) throw malformed('a property reaches beyond the property length');
    if (rule.forwarded === true && MESSAGE.includes(owner)) {
      if (forwarded.at(-1) === start) forwarded[forwarded.length - 1] = reader.position;
      else forwarded.push(start, reader.position);
    }
  }
  checkTogether(properties);
  if (forwarded.length > 0) properties.forwarded = forwarded;
  return properties;
}

function readProperty(reader: PacketReader, owner: PropertyOwner, properties: Properties): Rule {
  const identifier = reader.variableInteger();
  const rule = RULES[identifier];
  // MQTT 5, 2.2.2.2: an identifier that is not valid for the packet type makes the packet malformed.
  if (rule === undefined || !rule.owners.includes(owner)) {
    if (identifier === 11 && owner === 'publish')
      throw protocolViolation('a client must not send a subscription identifier in PUBLISH'); // [MQTT-3.3.4-6]
    if (identifier === 28 && owner === 'disconnect')
      throw protocolViolation('a server reference is for servers to send'); // 3.14.2.2.5
    throw malformed(`property ${identifier} does not belong into ${owner}`);
  }
  if (rule.name === null) {
    reader.skipString();
    reader.skipString();
    return rule;
  }
  if (properties[rule.name] !== undefined) throw protocolViolation(`${rule.name} stands twice`);
  const value = readValue(reader, rule.kind);
  if (value === 0 && rule.notZero === true) {
    throw rule.name === 'topicAlias'
      ? new ProtocolError(REASON.topicAliasInvalid, 'a topic alias is 0') // [MQTT-3.3.2-8]
      : protocolViolation(`${rule.name} is 0`);
  }
  if (rule.kind === 'flag' && (value as number) > 1) throw protocolViolation(`${rule.name} is neither 0 nor 1`);
  Object.assign(properties, { [rule.name]: value });
  return rule;
}

function readValue(reader: PacketReader, kind: Kind): number | string | Buffer {
  switch (kind) {
    case 'flag':
      return reader.byte();
    case 'uint16':
      return reader.uint16();
    case 'uint32':
      return reader.uint32();
    case 'variable':
      return reader.variableInteger();
    case 'string':
      return reader.string();
    case 'binary':
      return reader.binary();
  }
}

function checkTogether(properties: Properties): void {
  // [MQTT-3.3.2-14]: the response topic must not contain wildcards; [MQTT-4.7.3-1]: nor be empty.
  if (properties.responseTopic !== undefined && /[+#]|^$/.test(properties.responseTopic)) {
    throw protocolViolation('the response topic is empty or contains a wildcard');
  }
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolViolation('authentication data without an authentication method'); // 3.1.2.11.10
  }
}

/** The properties that go on unaltered, end to end; a copy, made where there is somebody to hand them on to. */
export function forwardedBytes(buffer: Buffer, { forwarded: ranges }: Readonly<Properties>): Uint8Array {
  if (ranges === undefined) return NO_BYTES;
  let length = 0;
  for (let index = 0; index < ranges.length; index += 2) length += ranges[index + 1]! - ranges[index]!;
  const whole = new Uint8Array(length);
  let position = 0;
  for (let index = 0; index < ranges.length; index += 2) {
    const range = buffer.subarray(ranges[index], ranges[index + 1]);
    whole.set(range, position);
    position += range.length;
  }
  return whole;
}
