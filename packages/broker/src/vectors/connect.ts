/** CONNECT (3.1 in both versions): protocol name and level, flags, properties, client id, will, user name, password. */
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { bodyLength, cut, packet, prefixed, properties } from './bytes.ts';
import { propertyVectors } from './property-table.ts';
import { BAD_STRINGS, ODD_STRINGS, stringClause } from './strings.ts';
import { BOTH, clauseOf, hexByte, MALFORMED, type PacketVector, PROTOCOL_ERROR } from './vector.ts';

const NAME = text('MQTT');
const LOGIN = `${text('vector')} ${text('secret')}`;
const ACCEPTED = 'CONNACK 0x00';

interface Parts {
  readonly name?: string;
  readonly level?: string;
  readonly flags?: string;
  readonly properties?: string;
  readonly clientId?: string;
  /** Will properties, topic, payload. */
  readonly will?: string;
  readonly login?: string;
}

/** A CONNECT that is accepted, but for the parts that are given. */
function connect(version: ProtocolVersion, parts: Parts = {}): string {
  const {
    name = NAME,
    level = `0${version}`,
    flags = 'c2',
    clientId = text('vector'),
    will = '',
    login = LOGIN,
  } = parts;
  const block = version === 5 ? (parts.properties ?? '00') : '';
  return packet('10', name, level, flags, '003c', block, clientId, will, login);
}

function will(version: ProtocolVersion, topic: string, block = '00'): string {
  return `${version === 5 ? block : ''} ${topic} ${text('gone')}`;
}

function refused(version: ProtocolVersion, reasonCode: number): string {
  return version === 5 ? `CONNACK ${hexByte(reasonCode)}, closed` : 'closed';
}

function first(version: ProtocolVersion, statement: string, name: string, bytes: string, answer: string): PacketVector {
  return { version, sent: 'first', clause: statement, name: `CONNECT: ${name}`, bytes, answer };
}

const WILL_TOPIC = text('app/will/last');

/** Of the connect flags, those that are refused in both versions. */
const BAD_FLAGS: readonly [flags: string, name: string, clause5: string, clause4: string][] = [
  ['c3', 'reserved flag', 'MQTT-3.1.2-3', 'MQTT-3.1.2-3'],
  ['ca', 'will QoS 1 without a will', 'MQTT-3.1.2-11', 'MQTT-3.1.2-11'],
  ['d2', 'will QoS 2 without a will', 'MQTT-3.1.2-11', 'MQTT-3.1.2-11'],
  ['e2', 'will retain without a will', 'MQTT-3.1.2-13', 'MQTT-3.1.2-11'],
  ['de', 'will QoS 3', 'MQTT-3.1.2-12', 'MQTT-3.1.2-14'],
  ['da', 'will QoS 3 without a will', 'MQTT-3.1.2-11', 'MQTT-3.1.2-11'],
];

const flags = BOTH.flatMap((version) => [
  ...BAD_FLAGS.map(([bits, name, clause5, clause4]) => {
    const hasWill = (Number.parseInt(bits, 16) & 4) !== 0;
    const parts = { flags: bits, will: hasWill ? will(version, WILL_TOPIC) : '' };
    return first(
      version,
      version === 5 ? clause5 : clause4,
      name,
      connect(version, parts),
      refused(version, MALFORMED),
    );
  }),
  ...['c6', 'ce', 'd6', 'e6', 'ee', 'f6'].map((bits) =>
    first(
      version,
      '3.1.2.5',
      `will flags ${bits}`,
      connect(version, { flags: bits, will: will(version, WILL_TOPIC) }),
      ACCEPTED,
    ),
  ),
  first(version, '3.1.2.4', 'clean', connect(version), ACCEPTED),
  first(version, '3.1.2.4', 'not clean', connect(version, { flags: 'c0' }), ACCEPTED),
]);

const ends = BOTH.flatMap((version) => {
  const refusedHere = refused(version, MALFORMED);
  const login = connect(version, { login: text('vector') });
  return [
    first(version, '3.1.3', 'bytes behind the password', connect(version, { login: `${LOGIN} 00` }), refusedHere),
    first(version, '3.1.3.5', 'password flag without a password', login, refusedHere),
    first(version, '3.1.3.4', 'user name flag without a user name', connect(version, { login: '' }), refusedHere),
    first(version, '3.1.2.8', 'user name without its flag', connect(version, { flags: '02' }), refusedHere),
    first(
      version,
      '3.1.2.5',
      'will without its flag',
      connect(version, { will: will(version, WILL_TOPIC) }),
      refusedHere,
    ),
    first(version, 'MQTT-3.1.2-9', 'will flag without a will', connect(version, { flags: 'c6' }), refusedHere),
    first(
      version,
      clauseOf(version, 'MQTT-2.1.3-1', 'MQTT-2.2.2-2'),
      'reserved flags of the fixed header',
      `11${connect(version).slice(2)}`,
      'closed',
    ),
    first(
      version,
      '3.1.4',
      'wrong password',
      connect(version, { login: `${text('x')} ${text('y')}` }),
      version === 5 ? 'CONNACK 0x86, closed' : 'CONNACK 0x04, closed',
    ),
    first(
      version,
      '3.1.4',
      'no login',
      connect(version, { flags: '02', login: '' }),
      version === 5 ? 'CONNACK 0x86, closed' : 'CONNACK 0x04, closed',
    ),
    first(
      version,
      '3.1.3.5',
      'a password of any bytes is read whole',
      connect(version, { login: `${text('x')} 0004 00ff80c3` }),
      version === 5 ? 'CONNACK 0x86, closed' : 'CONNACK 0x04, closed',
    ),
  ];
});

const names: PacketVector[] = [
  ...['mqtt', 'MQTt', 'MQT', 'MQTTT', '', 'HTTP', 'MQIsdp5'].flatMap((name) =>
    BOTH.map((version) =>
      first(version, 'MQTT-3.1.2-1', `protocol name "${name}"`, connect(version, { name: text(name) }), 'closed'),
    ),
  ),
  ...['00', '01', '02', '03', '84', '83'].map((level) =>
    first(
      4,
      'MQTT-3.1.2-2',
      `protocol level 0x${level}`,
      connect(4, { level }),
      Number.parseInt(level, 16) > 5 ? 'CONNACK 0x84, closed' : 'CONNACK 0x01, closed',
    ),
  ),
  ...['06', '07', '7f', 'ff'].map((level) =>
    first(5, 'MQTT-3.1.2-2', `protocol level 0x${level}`, connect(5, { level }), 'CONNACK 0x84, closed'),
  ),
  first(4, 'MQTT-3.1.2-2', 'MQTT 3.1', packet('10', text('MQIsdp'), '03 02 003c', text('x')), 'CONNACK 0x01, closed'),
  ...BAD_STRINGS.map(([name, hex]) =>
    first(5, 'MQTT-3.1.2-1', `protocol name with ${name}`, connect(5, { name: prefixed(hex) }), 'closed'),
  ),
];

const clientIds: PacketVector[] = [
  first(
    4,
    'MQTT-3.1.3-8',
    'no client id and no clean session',
    connect(4, { flags: 'c0', clientId: '0000' }),
    'CONNACK 0x02, closed',
  ),
  first(4, 'MQTT-3.1.3-6', 'no client id', connect(4, { clientId: '0000' }), ACCEPTED),
  first(5, 'MQTT-3.1.3-6', 'no client id', connect(5, { clientId: '0000' }), ACCEPTED),
  first(5, 'MQTT-3.1.3-7', 'no client id, not clean', connect(5, { flags: 'c0', clientId: '0000' }), ACCEPTED),
  first(
    5,
    'MQTT-3.1.3-5',
    'client id of 23 letters',
    connect(5, { clientId: text('abcdefghijklmnopqrstuvw') }),
    ACCEPTED,
  ),
  first(
    5,
    '3.1.3.1',
    'client id of 300 letters',
    connect(5, { clientId: text('x'.repeat(300)) }),
    'CONNACK 0x85, closed',
  ),
  first(
    4,
    '3.1.3.1',
    'client id of 300 letters',
    connect(4, { clientId: text('x'.repeat(300)) }),
    'CONNACK 0x02, closed',
  ),
];

const strings = BOTH.flatMap((version) => [
  ...BAD_STRINGS.flatMap(([name, hex]) => {
    const bad = prefixed(hex);
    const here = (where: string, parts: Parts): PacketVector =>
      first(
        version,
        stringClause(name, version),
        `${where} with ${name}`,
        connect(version, parts),
        refused(version, MALFORMED),
      );
    return [
      here('client id', { clientId: bad }),
      here('will topic', { flags: 'c6', will: will(version, bad) }),
      here('user name', { login: `${bad} ${text('secret')}` }),
      ...(version === 4
        ? []
        : [
            here('key of a user property', { properties: properties('26', bad, text('v')) }),
            here('value of a user property', { properties: properties('26', text('k'), bad) }),
            here('authentication method', { properties: properties('15', bad) }),
            here('content type of the will', { flags: 'c6', will: will(5, WILL_TOPIC, properties('03', bad)) }),
            here('response topic of the will', { flags: 'c6', will: will(5, WILL_TOPIC, properties('08', bad)) }),
          ]),
    ];
  }),
  ...ODD_STRINGS.map(([name, hex]) =>
    first(
      version,
      clauseOf(version, '1.5.4', '1.5.3'),
      `client id with ${name}`,
      connect(version, { clientId: prefixed(hex) }),
      ACCEPTED,
    ),
  ),
]);

const wills = BOTH.flatMap((version) => {
  const withWill = (topic: string): string => connect(version, { flags: 'c6', will: will(version, topic) });
  return [
    ...['#', '+', 'app/+', 'app/#', 'app/a#', '+/app'].map((topic) =>
      first(
        version,
        clauseOf(version, 'MQTT-4.7.0-1', 'MQTT-4.7.1-1'),
        `will topic ${topic}`,
        withWill(text(topic)),
        refused(version, MALFORMED),
      ),
    ),
    first(version, 'MQTT-4.7.3-1', 'will without a topic', withWill('0000'), refused(version, MALFORMED)),
    first(
      version,
      '3.1.3.4',
      'empty will',
      connect(version, { flags: 'c6', will: `${version === 5 ? '00' : ''} ${WILL_TOPIC} 0000` }),
      ACCEPTED,
    ),
    first(
      version,
      '3.1.4',
      'will on a topic that is not allowed',
      withWill(text('not/mine')),
      version === 5 ? 'CONNACK 0x87, closed' : 'CONNACK 0x05, closed',
    ),
  ];
});

/** Values that a property may not have. */
const values: PacketVector[] = (
  [
    ['3.1.2.11.3', 'receive maximum 0', '21 0000', PROTOCOL_ERROR],
    ['3.1.2.11.4', 'maximum packet size 0', '27 00000000', PROTOCOL_ERROR],
    ['3.1.2.11.6', 'request response information 2', '19 02', PROTOCOL_ERROR],
    ['3.1.2.11.7', 'request problem information 2', '17 02', PROTOCOL_ERROR],
    ['3.1.2.11.7', 'request problem information 255', '17 ff', PROTOCOL_ERROR],
    ['3.1.2.11.10', 'authentication data without a method', '16 0001 61', PROTOCOL_ERROR],
    ['3.1.2.11.9', 'a method that is not offered', `15 ${text('GS2-KRB5')}`, 0x8c],
    ['3.1.2.11.9', 'a method with data', `15 ${text('GS2-KRB5')} 16 0001 61`, 0x8c],
  ] as const
).map(([statement, name, block, reason]) =>
  first(5, statement, name, connect(5, { properties: properties(block) }), refused(5, reason)),
);

const goodValues: PacketVector[] = (
  [
    ['3.1.2.11.2', 'session expiry 0xFFFFFFFF', '11 ffffffff'],
    ['3.1.2.11.3', 'receive maximum 65535', '21 ffff'],
    ['3.1.2.11.3', 'receive maximum 1', '21 0001'],
    ['3.1.2.11.4', 'maximum packet size 0xFFFFFFFF', '27 ffffffff'],
    ['3.1.2.11.5', 'topic alias maximum 0', '22 0000'],
    ['3.1.2.11.5', 'topic alias maximum 65535', '22 ffff'],
    ['3.1.2.11.7', 'request problem information 0', '17 00'],
    ['MQTT-3.1.2-28', 'request response information 0', '19 00'],
    ['3.1.2.11.8', 'user property with empty key and value', '26 0000 0000'],
    ['3.1.2.11.8', 'a thousand user properties', '26 0001 61 0001 62'.repeat(1_000)],
  ] as const
).map(([statement, name, block]) => first(5, statement, name, connect(5, { properties: properties(block) }), ACCEPTED));

/** Every place at which a CONNECT with everything in it can end too soon. */
const cuts = BOTH.flatMap((version) => {
  const block = properties('11 0000000a 21 0005', '26', text('k'), text('v'));
  const whole = connect(version, {
    flags: 'ee',
    properties: block,
    will: will(version, WILL_TOPIC, properties('18 00000001')),
  });
  const versionKnownFrom = 7; // protocol name and level
  return Array.from({ length: bodyLength(whole) }, (_, bytes) =>
    first(
      version,
      clauseOf(version, '1.2', 'MQTT-4.8.0-1'),
      `cut after ${bytes} bytes`,
      cut(whole, bytes),
      bytes < versionKnownFrom ? 'closed' : refused(version, MALFORMED),
    ),
  );
});

const DOUBLED = packet('10', NAME, '05 02 0000', properties('21 0005 21 0005'), text('crash'));

const crashers: PacketVector[] = [
  // 26 bytes; ends the process of a broker that is in wide use.
  first(5, '3.1.2.11.3', 'a property twice, 26 bytes', DOUBLED, refused(5, PROTOCOL_ERROR)),
  first(
    5,
    '3.1.2.11.8',
    '9,000 user properties',
    connect(5, { properties: properties('26 0001 61 0001 62'.repeat(9_000)) }),
    ACCEPTED,
  ),
  first(5, '3.2.2.3.6', 'a declared length of 268,435,455', '10 ffffff7f', 'closed'),
  first(5, '2.1.4', 'a remaining length of five bytes', '10 ffffffff7f', 'closed'),
  { ...first(5, '4.13', 'that never ends', connect(5).slice(0, 30), 'closed'), isCutOff: true },
  { ...first(4, 'MQTT-4.8.0-1', 'that never ends', connect(4).slice(0, 30), 'closed'), isCutOff: true },
  { ...first(4, 'MQTT-4.8.0-1', 'one byte', '10', 'closed'), isCutOff: true },
];

export const CONNECT_VECTORS: readonly PacketVector[] = [
  ...flags,
  ...ends,
  ...names,
  ...clientIds,
  ...strings,
  ...wills,
  ...values,
  ...goodValues,
  ...cuts,
  ...crashers,
  ...propertyVectors({
    name: 'CONNECT',
    sent: 'first',
    packet: (block) => connect(5, { properties: block }),
    accepted: ACCEPTED,
    refused: (reasonCode) => refused(5, reasonCode),
    exceptions: {
      'authentication method': refused(5, 0x8c),
      'authentication data': refused(5, PROTOCOL_ERROR),
    },
  }),
  ...propertyVectors({
    name: 'will',
    sent: 'first',
    packet: (block) => connect(5, { flags: 'c6', will: will(5, WILL_TOPIC, block) }),
    accepted: ACCEPTED,
    refused: (reasonCode) => refused(5, reasonCode),
  }),
];
