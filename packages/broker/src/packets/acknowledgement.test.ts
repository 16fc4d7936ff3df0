import { describe, expect, test } from 'vitest';
import type { ProtocolVersion } from '../message.ts';
import { text } from '../testing/harness.ts';
import { writeAcknowledgement } from './acknowledgement.ts';
import { decodePuback } from './puback.ts';
import { decodePubcomp } from './pubcomp.ts';
import { decodePubrec } from './pubrec.ts';
import { decodePubrel } from './pubrel.ts';
import { decoded } from './testing.ts';

const DECODERS = { decodePuback, decodePubrec, decodePubrel, decodePubcomp };

describe.each(Object.entries(DECODERS))('%s', (_, decode) => {
  const cases: [name: string, hex: string, version: ProtocolVersion, expected: object | string][] = [
    ['3.1.1', '0007', 4, { packetId: 7, reasonCode: 0 }],
    ['MQTT 5 without reason', 'ffff', 5, { packetId: 65535, reasonCode: 0 }],
    ['MQTT 5 with reason', '0007 00', 5, { packetId: 7, reasonCode: 0 }],
    ['MQTT 5 with properties', `0007 00 04 1f ${text('x')}`, 5, { packetId: 7, reasonCode: 0 }],
    ['packet id 0', '0000', 5, 'refused 0x82'],
    ['too short', '00', 4, 'refused 0x81'],
    ['3.1.1 with a reason', '0007 00', 4, 'refused 0x81'],
    ['unknown reason', '0007 42', 5, 'refused 0x82'],
    ['property of another packet', '0007 00 03 23 0001', 5, 'refused 0x81'],
    ['reason string twice', `0007 00 08 1f ${text('x')} 1f ${text('x')}`, 5, 'refused 0x82'],
    ['bytes left over', '0007 00 00 00', 5, 'refused 0x81'],
  ];
  test.each(cases)('%s', (__, hex, version, expected) =>
    expect(decoded((reader) => decode(reader, version), hex)).toEqual(expected),
  );
});

test('errors that a subscriber may answer with', () => {
  expect(decoded((reader) => decodePuback(reader, 5), '0001 97')).toEqual({ packetId: 1, reasonCode: 0x97 });
  expect(decoded((reader) => decodePubrel(reader, 5), '0001 92')).toEqual({ packetId: 1, reasonCode: 0x92 });
  expect(decoded((reader) => decodePubcomp(reader, 5), '0001 97')).toBe('refused 0x82');
});

test.each([
  ['PUBACK', 4, 7, 0, 5, '40020007'],
  ['PUBACK with reason', 4, 7, 0x97, 5, '4003000797'],
  ['3.1.1 has no reason', 4, 7, 0x97, 4, '40020007'],
  ['PUBREL carries its flags', 6, 0x1234, 0, 5, '62021234'],
  ['PUBCOMP', 7, 1, 0x92, 5, '7003000192'],
] as const)('writes %s', (_, packetType, packetId, reasonCode, version, hex) => {
  const buffer = Buffer.alloc(5);
  const end = writeAcknowledgement(buffer, 0, packetType, packetId, reasonCode, version);
  expect(buffer.toString('hex', 0, end)).toBe(hex);
});
