/** Says in words what a server sent: 'CONNACK 0x00', 'PUBACK 1 0x10', 'SUBACK 1 0x01 0x8f', 'PUBLISH QoS 0 app/x "hi"'. */
import type { ProtocolVersion } from '../message.ts';
import { hexByte } from './vector.ts';

const NAMES = [
  'type 0',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
];
const LATER_NAMES = ['UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH'];

/** Whole packets; what is not complete yet is left out. */
export function describePackets(bytes: Buffer, version: ProtocolVersion): string[] {
  const said: string[] = [];
  for (let position = 0; position < bytes.length; ) {
    const [length, bodyStart] = readVariable(bytes, position + 1);
    if (Number.isNaN(length) || bodyStart + length > bytes.length) break;
    said.push(describe(bytes[position]!, bytes.subarray(bodyStart, bodyStart + length), version));
    position = bodyStart + length;
  }
  return said;
}

function describe(firstByte: number, body: Buffer, version: ProtocolVersion): string {
  const name = [...NAMES, ...LATER_NAMES][firstByte >> 4]!;
  switch (name) {
    case 'CONNACK':
      return `${name} ${hexByte(body[1]!)}`;
    case 'PUBLISH':
      return `${name} ${describePublish(firstByte, body, version)}`;
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      return `${name} ${body.readUInt16BE(0)}${version === 5 ? ` ${hexByte(body[2] ?? 0)}` : ''}`;
    case 'SUBACK':
    case 'UNSUBACK':
      return [name, body.readUInt16BE(0), ...codesOf(body, version)].join(' ');
    case 'DISCONNECT':
      return `${name} ${hexByte(body[0] ?? 0)}`;
    default:
      return name;
  }
}

function codesOf(body: Buffer, version: ProtocolVersion): string[] {
  const start = version === 5 ? afterProperties(body, 2) : 2;
  return [...body.subarray(start)].map(hexByte);
}

function describePublish(firstByte: number, body: Buffer, version: ProtocolVersion): string {
  const qos = (firstByte >> 1) & 3;
  const topicEnd = 2 + body.readUInt16BE(0);
  const idEnd = topicEnd + (qos > 0 ? 2 : 0);
  const payload = body.subarray(version === 5 ? afterProperties(body, idEnd) : idEnd);
  return `QoS ${qos} ${body.toString('utf8', 2, topicEnd)} "${payload.toString()}"`;
}

function afterProperties(body: Buffer, position: number): number {
  const [length, start] = readVariable(body, position);
  return start + length;
}

/** Value and the position behind it; NaN where it is not there whole. */
function readVariable(bytes: Buffer, position: number): [value: number, end: number] {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[position + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return [value, position + index + 1];
  }
  return [Number.NaN, position];
}
