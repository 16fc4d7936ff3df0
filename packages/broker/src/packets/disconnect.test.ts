import { type IDisconnectPacket, parser } from 'mqtt-packet';
import { expect, test } from 'vitest';
import type { ProtocolVersion } from '../message.ts';
import { refuseAuth } from './auth.ts';
import { decodeDisconnect, encodeDisconnect } from './disconnect.ts';
import { decodePingreq } from './pingreq.ts';
import { decoded } from './testing.ts';

const cases: [name: string, hex: string, version: ProtocolVersion, expected: object | string][] = [
  ['3.1.1', '', 4, { reasonCode: 0, sessionExpiryIntervalS: null }],
  ['MQTT 5 without reason', '', 5, { reasonCode: 0, sessionExpiryIntervalS: null }],
  ['with will', '04', 5, { reasonCode: 4, sessionExpiryIntervalS: null }],
  ['session expiry', '00 05 11 0000000a', 5, { reasonCode: 0, sessionExpiryIntervalS: 10 }],
  ['3.1.1 with a body', '00', 4, 'refused 0x81'],
  ['a reason that only a server gives', '8b', 5, 'refused 0x82'],
  ['session expiry twice', '00 0a 11 0000000a 11 0000000a', 5, 'refused 0x82'],
  ['bytes left over', '00 00 00', 5, 'refused 0x81'],
];
test.each(cases)('DISCONNECT: %s', (_, hex, version, expected) => {
  expect(decoded((reader) => decodeDisconnect(reader, version), hex)).toEqual(expected);
});

test('DISCONNECT is written with its reason, and without it where the client takes no such packet', () => {
  const packets: IDisconnectPacket[] = [];
  const reader = parser({ protocolVersion: 5 });
  reader.on('packet', (packet) => packets.push(packet as IDisconnectPacket));
  reader.parse(encodeDisconnect(0x8e, 'taken over', 100));
  expect(packets[0]).toMatchObject({ reasonCode: 0x8e, properties: { reasonString: 'taken over' } });
  expect(encodeDisconnect(0x8e, 'taken over', 10).toString('hex')).toBe('e0018e');
});

test.each([
  ['empty', '', 'refused 0x82'],
  ['continue', '18 00', 'refused 0x82'],
  ['unknown reason', '17', 'refused 0x82'],
  ['bad properties', '18 02 7f 00', 'refused 0x81'],
])('AUTH: %s', (_, hex, expected) => expect(decoded(refuseAuth, hex)).toBe(expected));

test('PINGREQ has no body', () => {
  expect(decoded(decodePingreq, '')).toBeUndefined();
  expect(decoded(decodePingreq, '00')).toBe('refused 0x81');
});
