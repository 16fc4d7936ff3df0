import { describe, expect, test } from 'vitest';
import { text } from '../testing/harness.ts';
import { decodeConnect } from './connect.ts';
import { decoded } from './testing.ts';

const NAME = '00044d515454';
const V5 = (flags: string, rest: string, properties = '00'): string => `${NAME} 05 ${flags} 003c ${properties} ${rest}`;
const V4 = (flags: string, rest: string): string => `${NAME} 04 ${flags} 003c ${rest}`;
const ID = text('a');

describe('accepted', () => {
  const cases: [name: string, hex: string, expected: object][] = [
    [
      'MQTT 5, clean',
      V5('02', ID),
      { protocolVersion: 5, clean: true, keepAliveS: 60, clientId: 'a', will: null, userName: undefined },
    ],
    ['MQTT 3.1.1', V4('00', ID), { protocolVersion: 4, clean: false, clientId: 'a' }],
    ['empty client id', V5('02', '0000'), { clientId: '' }],
    ['user name and password', V4('c2', ID + text('u') + text('p')), { userName: 'u', password: Buffer.from('p') }],
    [
      'MQTT 5: password without user name',
      V5('42', ID + text('p')),
      { userName: undefined, password: Buffer.from('p') },
    ],
    [
      'will',
      V4('2e', ID + text('w') + text('bye')),
      { will: { topic: 'w', payload: new Uint8Array(Buffer.from('bye')), qos: 1, retain: true, properties: {} } },
    ],
    [
      'will with delay',
      V5('06', `${ID}05 18 00000005${text('w')}0000`),
      { will: { properties: { willDelayInterval: 5 }, qos: 0, retain: false } },
    ],
    [
      'session expiry, receive maximum',
      V5('02', ID, '08 11 ffffffff 21 000a'),
      { properties: { sessionExpiryInterval: 0xffffffff, receiveMaximum: 10 } },
    ],
    ['user properties', V5('02', ID, `0e 26 ${text('a')}${text('1')} 26 ${text('a')}${text('2')}`), { clientId: 'a' }],
    ['U+FEFF is kept', V5('02', '0003efbbbf'), { clientId: '\ufeff' }],
  ];
  test.each(cases)('%s', (_, hex, expected) => expect(decoded(decodeConnect, hex)).toMatchObject(expected));
});

describe('refused', () => {
  const cases: [name: string, hex: string, reason: string][] = [
    ['empty', '', '0x81'],
    ['wrong protocol name', `00044d515455 05 02 0000 00 ${ID}`, '0x81'],
    ['MQTT 3.1', '00064d5149736470 03 02 0000', '0x84'],
    ['level 6', `${NAME} 06 02 0000`, '0x84'],
    ['reserved flag', V5('03', ID), '0x81'],
    ['will QoS 3', V5('1e', `${ID}00${text('w')}0000`), '0x81'],
    ['will QoS without will', V5('0a', ID), '0x81'],
    ['will retain without will', V5('22', ID), '0x81'],
    ['3.1.1: password without user name', V4('42', ID + text('p')), '0x81'],
    ['will topic with wildcard', V4('06', `${ID}${text('a/#')}0000`), '0x81'],
    ['empty will topic', V4('06', `${ID}0000 0000`), '0x81'],
    ['ends in the client id', V5('02', '0005 6161'), '0x81'],
    ['bytes left over', V5('02', `${ID}00`), '0x81'],
    ['client id with U+0000', V5('02', '0001 00'), '0x81'],
    ['client id with a surrogate', V5('02', '0003 eda080'), '0x81'],
    ['client id over-long', V5('02', '0002 c080'), '0x81'],
    ['client id cut in a character', V5('02', '0001 c3'), '0x81'],
    ['property twice', V5('02', ID, '0a 11 00000001 11 00000001'), '0x82'],
    ['property of another packet', V5('02', ID, '03 23 0001'), '0x81'],
    ['unknown property', V5('02', ID, '02 7f 00'), '0x81'],
    ['property id 0', V5('02', ID, '02 00 00'), '0x81'],
    ['receive maximum 0', V5('02', ID, '03 21 0000'), '0x82'],
    ['maximum packet size 0', V5('02', ID, '05 27 00000000'), '0x82'],
    ['request problem information 2', V5('02', ID, '02 17 02'), '0x82'],
    ['authentication data without method', V5('02', ID, '04 16 0001 aa'), '0x82'],
    ['properties longer than the packet', V5('02', ID, '7f'), '0x81'],
    ['property reaches beyond the properties', V5('02', `0000${ID}`, '02 11 0000'), '0x81'],
    ['property length of five bytes', V5('02', ID, '8080808001'), '0x81'],
    ['property length longer than it needs to be', V5('02', ID, '8000'), '0x81'],
  ];
  test.each(cases)('%s', (_, hex, reason) => expect(decoded(decodeConnect, hex)).toBe(`refused ${reason}`));
});
