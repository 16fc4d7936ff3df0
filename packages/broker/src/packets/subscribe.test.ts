import { describe, expect, test } from 'vitest';
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { decodeSubscribe } from './subscribe.ts';
import { decoded } from './testing.ts';
import { decodeUnsubscribe } from './unsubscribe.ts';

const one = (filter: string, options: string): string => `0001 00 ${text(filter)} ${options}`;

describe('SUBSCRIBE', () => {
  const cases: [name: string, hex: string, version: ProtocolVersion, expected: object | string][] = [
    [
      '3.1.1, two filters',
      `0001 ${text('a')} 01 ${text('b/#')} 02`,
      4,
      {
        packetId: 1,
        subscriptions: [
          { filter: 'a', qos: 1 },
          { filter: 'b/#', qos: 2 },
        ],
      },
    ],
    [
      'all options',
      `0001 02 0b 05 ${text('a')} 1e`,
      5,
      {
        subscriptionIdentifier: 5,
        subscriptions: [{ qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 1 }],
      },
    ],
    ['shared', one('$share/g/a/+', '01'), 5, { subscriptions: [{ filter: '$share/g/a/+' }] }],
    ['packet id 0', `0000 00 ${text('a')} 00`, 5, 'refused 0x82'],
    ['no filter', '0001 00', 5, 'refused 0x82'],
    ['empty filter', one('', '00'), 5, 'refused 0x81'],
    ['# not last', one('a/#/b', '00'), 5, 'refused 0x81'],
    ['# within a level', one('a#', '00'), 5, 'refused 0x81'],
    ['+ within a level', one('a/b+', '00'), 5, 'refused 0x81'],
    ['no options', `0001 00 ${text('a')}`, 5, 'refused 0x81'],
    ['QoS 3', one('a', '03'), 5, 'refused 0x82'],
    ['3.1.1: QoS 3', `0001 ${text('a')} 03`, 4, 'refused 0x81'],
    ['retain handling 3', one('a', '30'), 5, 'refused 0x82'],
    ['reserved bits', one('a', '40'), 5, 'refused 0x81'],
    ['3.1.1: MQTT 5 options', `0001 ${text('a')} 04`, 4, 'refused 0x81'],
    ['shared with no local', one('$share/g/a', '04'), 5, 'refused 0x82'],
    ['share without name', one('$share//a', '00'), 5, 'refused 0x81'],
    ['share without filter', one('$share/g', '00'), 5, 'refused 0x81'],
    ['share with an empty filter', one('$share/g/', '00'), 5, 'refused 0x81'],
    ['share named with a wildcard', one('$share/+/a', '00'), 5, 'refused 0x81'],
    ['subscription identifier 0', `0001 02 0b 00 ${text('a')} 00`, 5, 'refused 0x82'],
    ['subscription identifier twice', `0001 04 0b 01 0b 01 ${text('a')} 00`, 5, 'refused 0x82'],
    ['U+0000 in the filter', `0001 00 0001 00 00`, 5, 'refused 0x81'],
  ];
  test.each(cases)('%s', (_, hex, version, expected) => {
    const actual = decoded((reader) => decodeSubscribe(reader, version), hex);
    if (typeof expected === 'string') expect(actual).toBe(expected);
    else expect(actual).toMatchObject(expected);
  });
});

describe('UNSUBSCRIBE', () => {
  const cases: [name: string, hex: string, version: ProtocolVersion, expected: object | string][] = [
    ['3.1.1', `0002 ${text('a')}${text('b')}`, 4, { packetId: 2, filters: ['a', 'b'] }],
    ['MQTT 5', `0002 00 ${text('$share/g/a')}`, 5, { packetId: 2, filters: ['$share/g/a'] }],
    ['packet id 0', `0000 00 ${text('a')}`, 5, 'refused 0x82'],
    ['no filter', '0002 00', 5, 'refused 0x82'],
    ['bad filter', `0002 00 ${text('a#')}`, 5, 'refused 0x81'],
    ['a property that does not belong', `0002 02 0b 01 ${text('a')}`, 5, 'refused 0x81'],
  ];
  test.each(cases)('%s', (_, hex, version, expected) => {
    expect(decoded((reader) => decodeUnsubscribe(reader, version), hex)).toEqual(expected);
  });
});
