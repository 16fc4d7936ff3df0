/** PINGREQ, DISCONNECT and AUTH, packets that only a server sends, packets before CONNECT, and what is no packet at all. */
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { packet, prefixed, properties } from './bytes.ts';
import { propertyVectors } from './property-table.ts';
import { BAD_STRINGS, stringClause } from './strings.ts';
import { BOTH, clauseOf, hexByte, MALFORMED, type PacketVector, PROTOCOL_ERROR, refusal } from './vector.ts';

function vector(version: ProtocolVersion, clause: string, name: string, bytes: string, answer: string): PacketVector {
  return { version, sent: 'connected', clause, name, bytes, answer };
}

const hex = (value: number): string => value.toString(16).padStart(2, '0');
const FLAGS = Array.from({ length: 15 }, (_, index) => index + 1);

const pingreq = BOTH.flatMap((version) => [
  vector(version, 'MQTT-3.12.4-1', 'PINGREQ', 'c000', 'PINGRESP'),
  vector(version, 'MQTT-3.12.4-1', 'PINGREQ: two at once', 'c000c000', 'PINGRESP, PINGRESP'),
  vector(version, '3.12.1', 'PINGREQ: with a body', 'c00100', refusal(version, MALFORMED)),
  ...FLAGS.map((flags) =>
    vector(
      version,
      clauseOf(version, 'MQTT-2.1.3-1', 'MQTT-2.2.2-2'),
      `PINGREQ: flags ${flags}`,
      `${hex(0xc0 | flags)}00`,
      refusal(version, MALFORMED),
    ),
  ),
]);

/** What a client may say when it goes (3.14.2.1), and some that it may not. */
const GOOD_REASONS = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
const BAD_REASONS = [0x01, 0x10, 0x84, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9c, 0x9d, 0x9e, 0xa1, 0xff];

const disconnect: PacketVector[] = [
  ...BOTH.flatMap((version) => [
    vector(version, 'MQTT-3.14.4-2', 'DISCONNECT', 'e000', 'closed'),
    vector(version, 'MQTT-3.14.4-1', 'DISCONNECT: nothing is heard after it', 'e000 c000', 'closed'),
    ...FLAGS.map((flags) =>
      vector(
        version,
        'MQTT-3.14.1-1',
        `DISCONNECT: flags ${flags}`,
        `${hex(0xe0 | flags)}00`,
        refusal(version, MALFORMED),
      ),
    ),
  ]),
  vector(4, '3.14.2', 'DISCONNECT: with a body in MQTT 3.1.1', 'e00100', 'closed'),
  ...GOOD_REASONS.map((code) =>
    vector(5, '3.14.2.1', `DISCONNECT: reason ${hexByte(code)}`, packet('e0', hex(code)), 'closed'),
  ),
  ...BAD_REASONS.map((code) =>
    vector(
      5,
      'MQTT-3.14.2-1',
      `DISCONNECT: reason ${hexByte(code)}, which is not a client's`,
      packet('e0', hex(code)),
      refusal(5, PROTOCOL_ERROR),
    ),
  ),
  vector(5, '3.14.2.2', 'DISCONNECT: bytes behind the properties', packet('e0', '00 00 00'), refusal(5, MALFORMED)),
  vector(
    5,
    '3.14.2.2.2',
    'DISCONNECT: session expiry raised from 0',
    packet('e0', '00', properties('11 0000000a')),
    refusal(5, PROTOCOL_ERROR),
  ),
  {
    ...vector(
      5,
      '3.14.2.2.2',
      'DISCONNECT: session expiry changed',
      packet('e0', '00', properties('11 0000000a')),
      'closed',
    ),
    connectProperties: properties('11 00000064'),
  },
  {
    ...vector(
      5,
      '3.14.2.2.2',
      'DISCONNECT: session expiry lowered to 0',
      packet('e0', '00', properties('11 00000000')),
      'closed',
    ),
    connectProperties: properties('11 00000064'),
  },
  ...BAD_STRINGS.map(([name, bad]) =>
    vector(
      5,
      stringClause(name, 5),
      `DISCONNECT: reason string with ${name}`,
      packet('e0', '00', properties('1f', prefixed(bad))),
      refusal(5, MALFORMED),
    ),
  ),
];

const METHOD = `15 ${text('SCRAM-SHA-1')}`;

/** Enhanced authentication is not offered: whatever is well formed is a protocol error. */
const auth: PacketVector[] = [
  vector(5, '4.12', 'AUTH: without a method in CONNECT', 'f000', refusal(5, PROTOCOL_ERROR)),
  ...['18', '19'].map((reason) =>
    vector(
      5,
      '4.12.1',
      `AUTH: reason 0x${reason} without a method in CONNECT`,
      packet('f0', reason, properties(METHOD)),
      refusal(5, PROTOCOL_ERROR),
    ),
  ),
  vector(5, 'MQTT-3.15.2-1', 'AUTH: reason 0x01', packet('f0', '01 00'), refusal(5, PROTOCOL_ERROR)),
  vector(5, '3.15.2.2.2', 'AUTH: no method', packet('f0', '18 00'), refusal(5, PROTOCOL_ERROR)),
  ...FLAGS.map((flags) =>
    vector(5, 'MQTT-3.15.1-1', `AUTH: flags ${flags}`, `${hex(0xf0 | flags)}00`, refusal(5, MALFORMED)),
  ),
  vector(4, '2.2.1', 'packet type 15 in MQTT 3.1.1', 'f000', 'closed'),
];

const SERVER_PACKETS: readonly [name: string, bytes: string][] = [
  ['CONNACK', '20020000'],
  ['CONNACK with properties', '2003000000'],
  ['SUBACK', '9003000100'],
  ['UNSUBACK', 'b0020001'],
  ['PINGRESP', 'd000'],
];

const wrongWay = BOTH.flatMap((version) => [
  ...SERVER_PACKETS.map(([name, bytes]) =>
    vector(
      version,
      clauseOf(version, '2.1.2', '2.2.1'),
      `${name} from a client`,
      bytes,
      refusal(version, PROTOCOL_ERROR),
    ),
  ),
  ...['00', '01', '0f'].map((firstByte) =>
    vector(
      version,
      clauseOf(version, '2.1.2', '2.2.1'),
      `packet type 0 (${firstByte})`,
      `${firstByte}00`,
      refusal(version, MALFORMED),
    ),
  ),
  vector(
    version,
    'MQTT-3.1.0-2',
    'a second CONNECT',
    packet(
      '10',
      text('MQTT'),
      `0${version} c2 0000`,
      version === 5 ? '00' : '',
      text('vector'),
      text('vector'),
      text('secret'),
    ),
    refusal(version, PROTOCOL_ERROR),
  ),
]);

const TOO_SOON: readonly [name: string, bytes: string][] = [
  ['PUBLISH', packet('30', text('app/x'), '00 61')],
  ['PUBLISH with QoS 1', packet('32', text('app/x'), '0001 00 61')],
  ['PUBACK', '40020001'],
  ['PUBREC', '50020001'],
  ['PUBREL', '62020001'],
  ['PUBCOMP', '70020001'],
  ['SUBSCRIBE', packet('82', '0001 00', text('#'), '00')],
  ['UNSUBSCRIBE', packet('a2', '0001 00', text('#'))],
  ['PINGREQ', 'c000'],
  ['DISCONNECT', 'e000'],
  ['AUTH', 'f000'],
  ['packet type 0', '0000'],
  ...SERVER_PACKETS,
  ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n').toString('hex')],
  ['a TLS greeting', '16030100c8010000c40303'],
  ['zeros', '00'.repeat(100)],
  ['0xFF', 'ff'.repeat(100)],
];

const first: PacketVector[] = TOO_SOON.map(([name, bytes]) => ({
  clause: 'MQTT-3.1.0-1',
  name: `${name} before CONNECT`,
  version: 5,
  sent: 'first',
  bytes,
  answer: 'closed',
}));

export const OTHER_VECTORS: readonly PacketVector[] = [
  ...pingreq,
  ...disconnect,
  ...auth,
  ...wrongWay,
  ...first,
  ...propertyVectors({
    name: 'DISCONNECT',
    sent: 'connected',
    packet: (block) => packet('e0', '00', block),
    accepted: 'closed',
    refused: (reasonCode) => refusal(5, reasonCode),
    // It belongs into DISCONNECT, but into the server's alone (3.14.2.2.5).
    exceptions: { 'server reference in the wrong packet': refusal(5, PROTOCOL_ERROR) },
  }),
  ...propertyVectors({
    name: 'AUTH',
    sent: 'connected',
    packet: (block) => packet('f0', '18', block),
    accepted: refusal(5, PROTOCOL_ERROR),
    refused: (reasonCode) => refusal(5, reasonCode),
  }),
];
