/** SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10): packet id, filters, options, identifiers, shared subscriptions. */
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { bodyLength, cut, packet, prefixed, properties } from './bytes.ts';
import { propertyVectors } from './property-table.ts';
import { BAD_STRINGS, ODD_STRINGS, stringClause } from './strings.ts';
import { BOTH, clauseOf, hexByte, MALFORMED, type PacketVector, PROTOCOL_ERROR, refusal } from './vector.ts';

const FILTER = text('app/vectors');

function vector(version: ProtocolVersion, clause: string, name: string, bytes: string, answer: string): PacketVector {
  return { version, sent: 'connected', clause, name, bytes, answer };
}

function subscribe(version: ProtocolVersion, filters: string, block = '00'): string {
  return packet('82', '0001', version === 5 ? block : '', filters);
}

function unsubscribe(version: ProtocolVersion, filters: string, block = '00'): string {
  return packet('a2', '0001', version === 5 ? block : '', filters);
}

/** UNSUBACK for filters that are not subscribed to; in MQTT 3.1.1 it has no codes. */
function unsubscribed(version: ProtocolVersion, ...codes: string[]): string {
  return ['UNSUBACK 1', ...(version === 5 ? codes : [])].join(' ');
}

const FILTER_CLAUSES = {
  empty: ['MQTT-4.7.3-1', 'MQTT-4.7.3-1'],
  multi: ['MQTT-4.7.1-1', 'MQTT-4.7.1-2'],
  single: ['MQTT-4.7.1-2', 'MQTT-4.7.1-3'],
} as const;
const BAD_FILTERS: readonly [filter: string, rule: keyof typeof FILTER_CLAUSES][] = [
  ['', 'empty'],
  ['app#', 'multi'],
  ['app/#/x', 'multi'],
  ['#/app', 'multi'],
  ['##', 'multi'],
  ['app/x#', 'multi'],
  ['app+', 'single'],
  ['+app', 'single'],
  ['app/+x/y', 'single'],
  ['++', 'single'],
  ['+#', 'single'],
];
const BAD_SHARES = [
  '$share/',
  '$share//app',
  '$share/g',
  '$share/g/',
  '$share/+/app',
  '$share/#',
  '$share/g+/app',
  '$share/g/app#',
];
const GOOD_FILTERS = ['vectors', '/', '//', '+', '+/+', '/+', 'app/+/x', 'vectors/#', 'app/a b', '/vectors/', '$x/#'];
const GOOD_SHARES = [
  '$share/g/vectors',
  '$share/g/vectors/#',
  '$share/g/+/vectors',
  '$share/g//',
  '$share/G g/vectors',
];

const filters = BOTH.flatMap((version) => {
  const malformed = refusal(version, MALFORMED);
  return [
    ...BAD_FILTERS.flatMap(([filter, rule]) => {
      const [in5, in311] = FILTER_CLAUSES[rule];
      const clause = clauseOf(version, in5, in311);
      const second = `${FILTER} 00 ${text(filter)} 00`;
      return [
        vector(version, clause, `SUBSCRIBE: filter "${filter}"`, subscribe(version, `${text(filter)} 00`), malformed),
        vector(version, clause, `SUBSCRIBE: "${filter}" as the second filter`, subscribe(version, second), malformed),
        vector(version, clause, `UNSUBSCRIBE: filter "${filter}"`, unsubscribe(version, text(filter)), malformed),
      ];
    }),
    ...GOOD_FILTERS.flatMap((filter) => [
      vector(
        version,
        '4.7.1',
        `SUBSCRIBE: filter "${filter}"`,
        subscribe(version, `${text(filter)} 01`),
        'SUBACK 1 0x01',
      ),
      vector(
        version,
        '3.10.4',
        `UNSUBSCRIBE: filter "${filter}"`,
        unsubscribe(version, text(filter)),
        unsubscribed(version, '0x11'),
      ),
    ]),
    ...BAD_STRINGS.flatMap(([name, hex]) => [
      vector(
        version,
        stringClause(name, version),
        `SUBSCRIBE: filter with ${name}`,
        subscribe(version, `${prefixed(hex)} 00`),
        malformed,
      ),
      vector(
        version,
        stringClause(name, version),
        `UNSUBSCRIBE: filter with ${name}`,
        unsubscribe(version, prefixed(hex)),
        malformed,
      ),
    ]),
    ...ODD_STRINGS.map(([name, hex]) =>
      vector(
        version,
        clauseOf(version, '1.5.4', '1.5.3'),
        `SUBSCRIBE: filter with ${name}`,
        subscribe(version, `${prefixed(hex)} 00`),
        'SUBACK 1 0x00',
      ),
    ),
  ];
});

const shares: PacketVector[] = [
  ...BAD_SHARES.flatMap((filter) => [
    vector(
      5,
      'MQTT-4.8.2-1',
      `SUBSCRIBE: filter "${filter}"`,
      subscribe(5, `${text(filter)} 00`),
      refusal(5, MALFORMED),
    ),
    vector(5, 'MQTT-4.8.2-2', `UNSUBSCRIBE: filter "${filter}"`, unsubscribe(5, text(filter)), refusal(5, MALFORMED)),
  ]),
  ...GOOD_SHARES.map((filter) =>
    vector(5, '4.8.2', `SUBSCRIBE: filter "${filter}"`, subscribe(5, `${text(filter)} 02`), 'SUBACK 1 0x02'),
  ),
  ...['04', '05', '06', '0c', '14'].map((options) =>
    vector(
      5,
      'MQTT-3.8.3-4',
      `SUBSCRIBE: shared with no local (${options})`,
      subscribe(5, `${text('$share/g/vectors')} ${options}`),
      refusal(5, PROTOCOL_ERROR),
    ),
  ),
];

/** Every value of the options byte. */
const options5: PacketVector[] = Array.from({ length: 256 }, (_, options) => {
  const bytes = subscribe(5, `${FILTER} ${hexByte(options).slice(2)}`);
  const name = `SUBSCRIBE: options ${hexByte(options)}`;
  if ((options & 0xc0) !== 0) return vector(5, 'MQTT-3.8.3-5', name, bytes, refusal(5, MALFORMED));
  const isWrong = (options & 0x03) === 3 || (options & 0x30) === 0x30;
  return vector(5, '3.8.3.1', name, bytes, isWrong ? refusal(5, PROTOCOL_ERROR) : `SUBACK 1 ${hexByte(options & 3)}`);
});

const options4: PacketVector[] = [0, 1, 2, 3, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff].map((options) =>
  vector(
    4,
    'MQTT-3-8.3-4',
    `SUBSCRIBE: options ${hexByte(options)}`,
    subscribe(4, `${FILTER} ${hexByte(options).slice(2)}`),
    options <= 2 ? `SUBACK 1 ${hexByte(options)}` : 'closed',
  ),
);

const packetIds = BOTH.flatMap((version) => {
  const clause = version === 5 ? 'MQTT-2.2.1-3' : 'MQTT-2.3.1-1';
  const block = version === 5 ? '00' : '';
  const otherFlags = Array.from({ length: 16 }, (_, bits) => bits).filter((bits) => bits !== 2);
  return [
    vector(
      version,
      clause,
      'SUBSCRIBE: packet id 0',
      packet('82', '0000', block, FILTER, '00'),
      refusal(version, PROTOCOL_ERROR),
    ),
    vector(
      version,
      clause,
      'UNSUBSCRIBE: packet id 0',
      packet('a2', '0000', block, FILTER),
      refusal(version, PROTOCOL_ERROR),
    ),
    vector(
      version,
      'MQTT-3.8.4-2',
      'SUBSCRIBE: packet id 65535',
      packet('82', 'ffff', block, FILTER, '00'),
      'SUBACK 65535 0x00',
    ),
    vector(
      version,
      version === 5 ? 'MQTT-3.8.3-2' : 'MQTT-3.8.3-3',
      'SUBSCRIBE: no filter',
      packet('82', '0001', block),
      refusal(version, PROTOCOL_ERROR),
    ),
    vector(
      version,
      'MQTT-3.10.3-2',
      'UNSUBSCRIBE: no filter',
      packet('a2', '0001', block),
      refusal(version, PROTOCOL_ERROR),
    ),
    ...otherFlags.flatMap((bits) => [
      vector(
        version,
        'MQTT-3.8.1-1',
        `SUBSCRIBE: flags ${bits}`,
        packet(`8${bits.toString(16)}`, '0001', block, FILTER, '00'),
        refusal(version, MALFORMED),
      ),
      vector(
        version,
        'MQTT-3.10.1-1',
        `UNSUBSCRIBE: flags ${bits}`,
        packet(`a${bits.toString(16)}`, '0001', block, FILTER),
        refusal(version, MALFORMED),
      ),
    ]),
  ];
});

const answers = BOTH.flatMap((version) => [
  vector(
    version,
    version === 5 ? 'MQTT-3.8.4-6' : 'MQTT-3.8.4-5',
    'SUBSCRIBE: one code a filter, in their order',
    subscribe(version, `${FILTER} 02 ${text('secret/x')} 01 ${text('vectors/y')} 00`),
    `SUBACK 1 0x02 ${version === 5 ? '0x87' : '0x80'} 0x00`,
  ),
  vector(
    version,
    'MQTT-3.8.4-3',
    'SUBSCRIBE: the same filter again',
    subscribe(version, `${FILTER} 02 ${FILTER} 00`),
    'SUBACK 1 0x02 0x00',
  ),
  vector(
    version,
    version === 5 ? 'MQTT-3.11.3-1' : 'MQTT-3.10.4-5',
    'UNSUBSCRIBE: one code a filter',
    `${subscribe(version, `${FILTER} 00`)} ${unsubscribe(version, `${text('vectors/n')} ${FILTER}`)}`,
    `SUBACK 1 0x00, ${unsubscribed(version, '0x11', '0x00')}`,
  ),
  vector(
    version,
    '3.8.4',
    'SUBSCRIBE: a message for it',
    `${subscribe(version, `${FILTER} 00`)} ${packet('30', FILTER, version === 5 ? '00' : '', '6869')}`,
    'SUBACK 1 0x00, PUBLISH QoS 0 app/vectors "hi"',
  ),
  vector(
    version,
    'MQTT-3.10.4-2',
    'UNSUBSCRIBE: no message after it',
    `${subscribe(version, `${FILTER} 00`)} ${unsubscribe(version, FILTER)} ${packet('30', FILTER, version === 5 ? '00' : '', '6869')}`,
    `SUBACK 1 0x00, ${unsubscribed(version, '0x00')}`,
  ),
]);

const identifiers: PacketVector[] = [
  vector(
    5,
    '3.8.2.1.2',
    'SUBSCRIBE: subscription identifier 0',
    subscribe(5, `${FILTER} 00`, properties('0b00')),
    refusal(5, PROTOCOL_ERROR),
  ),
  vector(
    5,
    '3.8.2.1.2',
    'SUBSCRIBE: subscription identifier 268,435,455',
    subscribe(5, `${FILTER} 00`, properties('0bffffff7f')),
    'SUBACK 1 0x00',
  ),
  vector(
    5,
    '1.5.5',
    'SUBSCRIBE: subscription identifier of five bytes',
    subscribe(5, `${FILTER} 00`, properties('0bffffffff01')),
    refusal(5, MALFORMED),
  ),
  vector(
    5,
    'MQTT-1.5.5-1',
    'SUBSCRIBE: subscription identifier in more bytes than it needs',
    subscribe(5, `${FILTER} 00`, properties('0b8100')),
    refusal(5, MALFORMED),
  ),
  vector(
    5,
    'MQTT-3.8.3-3',
    'SUBSCRIBE: no local',
    `${subscribe(5, `${FILTER} 04`)} ${packet('30', FILTER, '00 6869')}`,
    'SUBACK 1 0x00',
  ),
];

const cuts = BOTH.flatMap((version) => {
  const block = version === 5 ? properties('26', text('k'), text('v')) : '';
  const beforeFilters = 2 + block.replaceAll(' ', '').length / 2;
  return (
    [
      ['SUBSCRIBE', packet('82', '0001', block, FILTER, '01')],
      ['UNSUBSCRIBE', packet('a2', '0001', block, FILTER)],
    ] as const
  ).flatMap(([name, whole]) =>
    Array.from({ length: bodyLength(whole) }, (_, bytes) =>
      vector(
        version,
        clauseOf(version, '1.2', 'MQTT-4.8.0-1'),
        `${name}: cut after ${bytes} bytes`,
        cut(whole, bytes),
        refusal(version, bytes === beforeFilters ? PROTOCOL_ERROR : MALFORMED),
      ),
    ),
  );
});

export const SUBSCRIBE_VECTORS: readonly PacketVector[] = [
  ...filters,
  ...shares,
  ...options5,
  ...options4,
  ...packetIds,
  ...answers,
  ...identifiers,
  ...cuts,
  ...propertyVectors({
    name: 'SUBSCRIBE',
    sent: 'connected',
    packet: (block) => subscribe(5, `${FILTER} 00`, block),
    accepted: 'SUBACK 1 0x00',
    refused: (reasonCode) => refusal(5, reasonCode),
  }),
  ...propertyVectors({
    name: 'UNSUBSCRIBE',
    sent: 'connected',
    packet: (block) => unsubscribe(5, FILTER, block),
    accepted: 'UNSUBACK 1 0x11',
    refused: (reasonCode) => refusal(5, reasonCode),
  }),
];
