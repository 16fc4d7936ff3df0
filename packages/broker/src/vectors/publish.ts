/** PUBLISH (3.3): flags, topic, packet id, properties, topic aliases, and the acknowledgements that answer it. */
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { bodyLength, cut, packet, prefixed, properties } from './bytes.ts';
import { propertyVectors } from './property-table.ts';
import { BAD_STRINGS, ODD_STRINGS, stringClause } from './strings.ts';
import { BOTH, clauseOf, MALFORMED, type PacketVector, PROTOCOL_ERROR, refusal } from './vector.ts';

const TOPIC = text('app/x');

function vector(version: ProtocolVersion, clause: string, name: string, bytes: string, answer: string): PacketVector {
  return { version, sent: 'connected', clause, name: `PUBLISH: ${name}`, bytes, answer };
}

/** QoS 0 where the first byte says so: no packet id. */
function publish(version: ProtocolVersion, firstByte: string, topic: string, packetId = '', block = '00'): string {
  return packet(firstByte, topic, packetId, version === 5 ? block : '', '61');
}

/** An acknowledgement in the words of the version; in MQTT 3.1.1 it has no reason. */
function acknowledged(version: ProtocolVersion, type: string, packetId: number, reason: string): string {
  return version === 5 ? `${type} ${packetId} ${reason}` : `${type} ${packetId}`;
}

const flags = BOTH.flatMap((version) => [
  ...['36', '37', '3e', '3f'].map((firstByte) =>
    vector(
      version,
      'MQTT-3.3.1-4',
      `QoS 3 (${firstByte})`,
      publish(version, firstByte, TOPIC, '0001'),
      refusal(version, MALFORMED),
    ),
  ),
  ...['38', '39'].map((firstByte) =>
    vector(
      version,
      'MQTT-3.3.1-2',
      `QoS 0 with DUP (${firstByte})`,
      publish(version, firstByte, TOPIC),
      refusal(version, MALFORMED),
    ),
  ),
  ...['30', '31'].map((firstByte) =>
    vector(version, '3.3.1', `first byte ${firstByte}`, publish(version, firstByte, text(`app/v/${firstByte}`)), ''),
  ),
  ...['32', '3a'].map((firstByte) =>
    vector(
      version,
      clauseOf(version, 'MQTT-4.3.2-4', 'MQTT-4.3.2-2'),
      `first byte ${firstByte}`,
      publish(version, firstByte, TOPIC, '0007'),
      acknowledged(version, 'PUBACK', 7, '0x10'),
    ),
  ),
  ...['34', '3c'].map((firstByte) =>
    vector(
      version,
      clauseOf(version, 'MQTT-4.3.3-8', 'MQTT-4.3.3-2'),
      `first byte ${firstByte}`,
      publish(version, firstByte, TOPIC, '0007'),
      acknowledged(version, 'PUBREC', 7, '0x10'),
    ),
  ),
  vector(
    version,
    '3.3.2.2',
    'packet id 65535',
    publish(version, '34', TOPIC, 'fffe'),
    acknowledged(version, 'PUBREC', 65_534, '0x10'),
  ),
  ...['32', '34'].map((firstByte) =>
    vector(
      version,
      clauseOf(version, 'MQTT-2.2.1-3', 'MQTT-2.3.1-1'),
      `packet id 0 (${firstByte})`,
      publish(version, firstByte, TOPIC, '0000'),
      refusal(version, PROTOCOL_ERROR),
    ),
  ),
]);

const exchanges = BOTH.flatMap((version) => {
  const message = publish(version, '34', TOPIC, '0005');
  const again = publish(version, '3c', TOPIC, '0005');
  const received = acknowledged(version, 'PUBREC', 5, '0x10');
  const completed = acknowledged(version, 'PUBCOMP', 5, '0x00');
  return [
    vector(
      version,
      clauseOf(version, 'MQTT-4.3.3-11', 'MQTT-4.3.3-2'),
      'QoS 2 from beginning to end',
      `${message} 62020005`,
      `${received}, ${completed}`,
    ),
    vector(
      version,
      clauseOf(version, 'MQTT-4.3.3-10', 'MQTT-4.3.3-2'),
      'QoS 2 that comes again',
      `${message} ${again}`,
      `${received}, ${acknowledged(version, 'PUBREC', 5, '0x00')}`,
    ),
    vector(
      version,
      clauseOf(version, 'MQTT-4.3.3-12', 'MQTT-4.3.3-2'),
      'a packet id after its PUBCOMP',
      `${message} 62020005 ${message}`,
      `${received}, ${completed}, ${received}`,
    ),
    vector(
      version,
      '4.6',
      'acknowledgements keep the order',
      `${publish(version, '32', TOPIC, '0003')} ${publish(version, '32', TOPIC, '0001')}`,
      `${acknowledged(version, 'PUBACK', 3, '0x10')}, ${acknowledged(version, 'PUBACK', 1, '0x10')}`,
    ),
  ];
});

const topics = BOTH.flatMap((version) => {
  const malformed = refusal(version, MALFORMED);
  return [
    ...['#', '+', 'app/#', 'app/+/x', 'app/a+', '#app', 'app/x#'].flatMap((topic) => [
      vector(version, 'MQTT-3.3.2-2', `topic ${topic}`, publish(version, '30', text(topic)), malformed),
      vector(version, 'MQTT-3.3.2-2', `topic ${topic}, QoS 1`, publish(version, '32', text(topic), '0001'), malformed),
    ]),
    ...BAD_STRINGS.map(([name, hex]) =>
      vector(
        version,
        stringClause(name, version),
        `topic with ${name}`,
        publish(version, '30', prefixed(`6170702f ${hex}`)),
        malformed,
      ),
    ),
    ...ODD_STRINGS.map(([name, hex]) =>
      vector(
        version,
        clauseOf(version, '1.5.4', '1.5.3'),
        `topic with ${name}`,
        publish(version, '30', prefixed(`6170702f ${hex}`)),
        '',
      ),
    ),
    ...['app/', 'app//', 'app/a b', 'app/$x', 'app//x/'].map((topic) =>
      vector(version, '4.7.1.1', `topic "${topic}"`, publish(version, '30', text(topic)), ''),
    ),
    vector(
      version,
      '4.7.3',
      'topic of more levels than are taken',
      publish(version, '30', text('app/'.repeat(100))),
      refusal(version, 0x90),
    ),
    vector(
      version,
      '4.7.3',
      'topic of 65,535 bytes',
      publish(version, '30', text('a'.repeat(65_535))),
      refusal(version, 0x90),
    ),
    vector(
      version,
      clauseOf(version, '3.4.2.1', 'MQTT-3.3.5-2'),
      'a topic that is not allowed, QoS 0',
      publish(version, '30', text('not/mine')),
      '',
    ),
    vector(
      version,
      clauseOf(version, '3.4.2.1', 'MQTT-3.3.5-2'),
      'a topic that is not allowed, QoS 1',
      publish(version, '32', text('not/mine'), '0003'),
      version === 5 ? 'PUBACK 3 0x87' : 'closed',
    ),
    vector(
      version,
      clauseOf(version, '3.5.2.1', 'MQTT-3.3.5-2'),
      'a topic that is not allowed, QoS 2',
      publish(version, '34', text('not/mine'), '0003'),
      version === 5 ? 'PUBREC 3 0x87' : 'closed',
    ),
    vector(version, '3.3.3', 'an empty payload', packet('30', TOPIC, version === 5 ? '00' : ''), ''),
  ];
});

const emptyTopics: PacketVector[] = [
  vector(4, 'MQTT-4.7.3-1', 'no topic', publish(4, '30', '0000'), 'closed'),
  vector(5, '3.3.2.3.4', 'neither topic nor alias', publish(5, '30', '0000'), refusal(5, PROTOCOL_ERROR)),
  vector(
    5,
    '3.3.2.3.4',
    'neither topic nor alias, QoS 1',
    publish(5, '32', '0000', '0001'),
    refusal(5, PROTOCOL_ERROR),
  ),
];

function aliased(topic: string, alias: string): string {
  return publish(5, '30', topic, '', properties('23', alias));
}

const aliases: PacketVector[] = [
  vector(5, 'MQTT-3.3.2-8', 'alias 0', aliased(TOPIC, '0000'), refusal(5, 0x94)),
  vector(5, 'MQTT-3.3.2-8', 'alias 0 without a topic', aliased('0000', '0000'), refusal(5, 0x94)),
  vector(5, 'MQTT-3.3.2-9', 'alias beyond the maximum', aliased(TOPIC, '0021'), refusal(5, 0x94)),
  vector(5, 'MQTT-3.3.2-9', 'alias 65535', aliased(TOPIC, 'ffff'), refusal(5, 0x94)),
  vector(5, '3.3.2.3.4', 'an alias that was not set', aliased('0000', '0002'), refusal(5, PROTOCOL_ERROR)),
  vector(5, 'MQTT-3.3.2-12', 'the largest alias', `${aliased(TOPIC, '0020')} ${aliased('0000', '0020')}`, ''),
  vector(
    5,
    '3.3.2.3.4',
    'an alias that is set anew',
    `${aliased(TOPIC, '0001')} ${aliased(text('app/y'), '0001')} ${aliased('0000', '0001')}`,
    '',
  ),
  vector(
    5,
    'MQTT-3.3.2-12',
    'an alias for a topic that is not allowed',
    `${aliased(text('not/mine'), '0001')} ${publish(5, '32', '0000', '0004', properties('230001'))}`,
    'PUBACK 4 0x87',
  ),
];

const values: PacketVector[] = (
  [
    ['3.3.2.3.2', 'payload format indicator 2', '01 02', PROTOCOL_ERROR],
    ['MQTT-3.3.2-14', 'response topic app/+', `08 ${text('app/+')}`, PROTOCOL_ERROR],
    ['MQTT-3.3.2-14', 'response topic #', `08 ${text('#')}`, PROTOCOL_ERROR],
    ['MQTT-4.7.3-1', 'response topic of no letters', '08 0000', PROTOCOL_ERROR],
    // Ends the process of a broker that is in wide use.
    ['MQTT-3.3.2-13', 'response topic without a value', '08', MALFORMED],
    ['MQTT-3.3.2-13', 'response topic with half a length', '08 00', MALFORMED],
    ['3.3.2.3.6', 'correlation data without a value', '09', MALFORMED],
    ['3.3.2.3.7', 'user property without a value', `26 ${text('k')}`, MALFORMED],
    ['MQTT-3.3.4-6', 'subscription identifier', '0b 01', PROTOCOL_ERROR],
    ['MQTT-3.3.4-6', 'subscription identifier 0', '0b 00', PROTOCOL_ERROR],
  ] as const
).flatMap(([clause, name, block, reason]) => [
  vector(5, clause, name, publish(5, '30', TOPIC, '', properties(block)), refusal(5, reason)),
  vector(5, clause, `${name}, QoS 2`, publish(5, '34', TOPIC, '0001', properties(block)), refusal(5, reason)),
]);

const strings = BAD_STRINGS.flatMap(([name, hex]) =>
  (
    [
      ['content type', '03'],
      ['response topic', '08'],
      ['key of a user property', '26'],
    ] as const
  ).map(([where, id]) => {
    const block = properties(id, prefixed(hex), id === '26' ? text('v') : '');
    return vector(
      5,
      stringClause(name, 5),
      `${where} with ${name}`,
      publish(5, '30', TOPIC, '', block),
      refusal(5, MALFORMED),
    );
  }),
);

/** Every place before the payload at which it can end too soon. */
const cuts = BOTH.flatMap((version) => {
  const whole = packet('32', TOPIC, '0001', version === 5 ? properties(`02 0000000a 03 ${text('t')}`) : '');
  // In MQTT 3.1.1 what is behind the packet id is payload.
  return Array.from({ length: bodyLength(whole) }, (_, bytes) =>
    vector(
      version,
      clauseOf(version, '1.2', 'MQTT-4.8.0-1'),
      `cut after ${bytes} bytes`,
      cut(whole, bytes),
      refusal(version, MALFORMED),
    ),
  );
});

const sizes = BOTH.flatMap((version) => [
  vector(
    version,
    clauseOf(version, 'MQTT-3.2.2-15', '2.2.3'),
    'a declared length of 268,435,455',
    '30 ffffff7f',
    refusal(version, 0x95),
  ),
  vector(
    version,
    clauseOf(version, '2.1.4', '2.2.3'),
    'a remaining length of five bytes',
    '30 ffffffff7f',
    refusal(version, MALFORMED),
  ),
  {
    ...vector(version, clauseOf(version, '4.13', 'MQTT-4.8.0-1'), 'that never ends', '30 20 0005', 'closed'),
    isCutOff: true as const,
  },
]);

export const PUBLISH_VECTORS: readonly PacketVector[] = [
  vector(
    5,
    'MQTT-1.5.5-1',
    'a remaining length in more bytes than it needs',
    `30 8800 ${TOPIC} 61`,
    refusal(5, MALFORMED),
  ),
  ...flags,
  ...exchanges,
  ...topics,
  ...emptyTopics,
  ...aliases,
  ...values,
  ...strings,
  ...cuts,
  ...sizes,
  vector(
    5,
    '3.3.2.3.7',
    '100,000 user properties',
    publish(5, '32', TOPIC, '0001', properties('26 0001 61 0001 62'.repeat(100_000))),
    'PUBACK 1 0x10',
  ),
  ...propertyVectors({
    name: 'PUBLISH',
    sent: 'connected',
    packet: (block) => publish(5, '32', TOPIC, '0001', block),
    accepted: 'PUBACK 1 0x10',
    refused: (reasonCode) => refusal(5, reasonCode),
    exceptions: { 'subscription identifier in the wrong packet': refusal(5, PROTOCOL_ERROR) },
  }),
];
