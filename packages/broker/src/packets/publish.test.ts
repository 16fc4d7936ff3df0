import fc from 'fast-check';
import { generate, type IPublishPacket, parser } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import type { ProtocolVersion, QoS } from '../message.ts';
import { fromHex, text } from '../testing/harness.ts';
import { forwardedBytes } from './properties.ts';
import { decodePublish, encodePublish, PublishFields } from './publish.ts';
import { outcome } from './testing.ts';

function decode(firstByte: number, hex: string | Buffer, version: ProtocolVersion): object | string {
  const bytes = typeof hex === 'string' ? fromHex(hex) : hex;
  const buffer = Buffer.concat([Buffer.from([9, 9, 9]), bytes, Buffer.from([9, 9])]);
  const fields = new PublishFields();
  return outcome(() => {
    decodePublish(firstByte, buffer, 3, 3 + bytes.length, version, fields);
    return {
      qos: fields.qos,
      retain: fields.retain,
      duplicate: fields.duplicate,
      packetId: fields.packetId,
      topic: buffer.toString('utf8', fields.topicStart, fields.topicEnd),
      payload: buffer.toString('utf8', fields.payloadStart, fields.payloadEnd),
      properties: fields.properties,
      forwarded: Buffer.from(forwardedBytes(buffer, fields.properties)).toString('hex'),
    };
  });
}

describe('accepted', () => {
  const cases: [name: string, first: number, hex: string, version: ProtocolVersion, expected: object][] = [
    ['QoS 0', 0x30, `${text('a/b')} 6869`, 4, { qos: 0, packetId: 0, topic: 'a/b', payload: 'hi' }],
    [
      'QoS 1, DUP, retain',
      0x3b,
      `${text('a')} 0007 78`,
      4,
      { qos: 1, duplicate: true, retain: true, packetId: 7, payload: 'x' },
    ],
    ['QoS 2, MQTT 5, no payload', 0x34, `${text('a')} ffff 00`, 5, { qos: 2, packetId: 65535, payload: '' }],
    [
      'alias instead of topic',
      0x30,
      '0000 03 23 0005 78',
      5,
      { topic: '', payload: 'x', properties: { topicAlias: 5 } },
    ],
    [
      'properties',
      0x30,
      `${text('a')} 0b 02 0000000a 26 ${text('k')}${text('')} 78`,
      5,
      {
        payload: 'x',
        properties: { messageExpiryInterval: 10 },
        forwarded: `26${text('k')}${text('')}`,
      },
    ],
  ];
  test.each(cases)('%s', (_, first, hex, version, expected) =>
    expect(decode(first, hex, version)).toMatchObject(expected),
  );

  test('what goes on to subscribers keeps its bytes and order', () => {
    const user = `26${text('b')}${text('1')}26${text('a')}${text('2')}`;
    const packet = decode(0x30, `${text('t')} 1a ${user} 02 0000000a 03 ${text('json')}`, 5);
    expect(packet).toMatchObject({ forwarded: `${user}03${text('json')}` });
  });
});

describe('refused', () => {
  const cases: [name: string, first: number, hex: string, version: ProtocolVersion, reason: string][] = [
    ['QoS 3', 0x36, `${text('a')} 0001`, 4, '0x81'],
    ['DUP with QoS 0', 0x38, text('a'), 4, '0x81'],
    ['empty body', 0x30, '', 4, '0x81'],
    ['ends in the topic', 0x30, '0005 61', 4, '0x81'],
    ['ends before the packet id', 0x32, `${text('a')} 00`, 4, '0x81'],
    ['packet id 0', 0x32, `${text('a')} 0000`, 4, '0x82'],
    ['3.1.1: empty topic', 0x30, '0000', 4, '0x81'],
    ['MQTT 5: neither topic nor alias', 0x30, '0000 00', 5, '0x82'],
    ['topic alias 0', 0x30, `${text('a')} 03 23 0000`, 5, '0x94'],
    ['topic alias twice', 0x30, `${text('a')} 06 23 0001 23 0001`, 5, '0x82'],
    ['subscription identifier from a client', 0x30, `${text('a')} 02 0b 01`, 5, '0x82'],
    ['payload format indicator 2', 0x30, `${text('a')} 02 01 02`, 5, '0x82'],
    ['response topic with wildcard', 0x30, `${text('a')} 06 08 ${text('a/+')}`, 5, '0x82'],
    ['no property length', 0x30, text('a'), 5, '0x81'],
    ['user property with bad UTF-8', 0x30, `${text('a')} 07 26 0001 ff 0001 61`, 5, '0x81'],
  ];
  test.each(cases)('%s', (_, first, hex, version, reason) =>
    expect(decode(first, hex, version)).toBe(`refused ${reason}`),
  );
});

const topics = fc.stringMatching(/^[a-z/ü]{1,20}$/);

test('reads what mqtt-packet writes', () => {
  fc.assert(
    fc.property(
      topics,
      fc.string(),
      fc.constantFrom<QoS>(0, 1, 2),
      fc.boolean(),
      fc.constantFrom<ProtocolVersion>(4, 5),
      (topic, payload, qos, retain, protocolVersion) => {
        const bytes = generate(
          { cmd: 'publish', topic, payload, qos, retain, dup: false, messageId: 77 },
          { protocolVersion },
        );
        const lengthBytes = bytes[1]! < 0x80 ? 1 : 2;
        expect(decode(bytes[0]!, bytes.subarray(1 + lengthBytes), protocolVersion)).toMatchObject({
          topic,
          payload,
          qos,
          retain,
          packetId: qos === 0 ? 0 : 77,
        });
      },
    ),
  );
});

test('mqtt-packet reads what is written', () => {
  const deliveries = fc.record({
    topic: topics,
    payload: fc.uint8Array({ maxLength: 300 }),
    qos: fc.constantFrom<QoS>(0, 1, 2),
    retain: fc.boolean(),
    subscriptionIdentifiers: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 1 }),
    expiresInS: fc.option(fc.integer({ min: 1, max: 1000 })),
  });
  fc.assert(
    fc.property(deliveries, fc.constantFrom<ProtocolVersion>(4, 5), (given, protocolVersion) => {
      const { topic, payload, qos, retain, subscriptionIdentifiers, expiresInS } = given;
      const message = {
        topic,
        payload,
        qos,
        retain,
        properties: fromHex(`03${text('json')}`),
        expiresAtMs: expiresInS === null ? Number.POSITIVE_INFINITY : expiresInS * 1000,
      };
      const bytes = encodePublish(
        { message, qos, retain, subscriptionIdentifiers, id: 0 },
        { protocolVersion, packetId: 5, duplicate: false, topicAlias: 0, topicKnown: false, nowMs: 0 },
      );
      const packets: IPublishPacket[] = [];
      const reader = parser({ protocolVersion });
      reader.on('packet', (packet) => packets.push(packet as IPublishPacket));
      reader.parse(bytes);
      expect(packets).toHaveLength(1);
      expect(packets[0]).toMatchObject({ topic, qos, retain, ...(qos > 0 && { messageId: 5 }) });
      expect(Buffer.compare(packets[0]!.payload as Buffer, Buffer.from(payload))).toBe(0);
      if (protocolVersion === 4) return;
      expect(packets[0]!.properties).toMatchObject({
        contentType: 'json',
        ...(expiresInS !== null && { messageExpiryInterval: expiresInS }),
      });
      expect([packets[0]!.properties?.subscriptionIdentifier ?? []].flat()).toEqual(subscriptionIdentifiers);
    }),
  );
});
