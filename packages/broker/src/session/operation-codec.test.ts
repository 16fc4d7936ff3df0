import { expect, test } from 'vitest';
import { decodeOperation, encodeOperation } from './operation-codec.ts';
import type { StoredOperation } from './session-store.ts';

const identity = { organizationId: 'org-1', deviceId: 'dev-1', kind: 'device' } as const;
const message = {
  topic: 'app/ü',
  payload: Uint8Array.of(0, 255, 1),
  qos: 2,
  retain: true,
  properties: Uint8Array.of(38, 0, 0, 0, 0),
  expiresAtMs: 1_706_370_000_000,
} as const;
const forEver = { ...message, payload: new Uint8Array(0), expiresAtMs: Number.POSITIVE_INFINITY };
const session = { kind: 'session', key: 'k', clientId: 'c', identity, expiryIntervalS: 0xffff_ffff } as const;
const deliveries = [{ key: 'k', id: 7, qos: 1, retain: false, subscriptionIdentifiers: [1, 2] }] as const;

const OPERATIONS: StoredOperation[] = [
  { ...session, will: null, endsAtMs: null },
  { ...session, will: { message, delayS: 3, expiryS: null }, endsAtMs: 5 },
  { kind: 'ended', key: 'k' },
  {
    kind: 'subscribed',
    key: 'k',
    subscription: { filter: '$share/g/a/#', qos: 1, noLocal: false, retainAsPublished: true, identifier: 268_435_455 },
  },
  {
    kind: 'subscribed',
    key: 'k',
    subscription: { filter: 'a/#', qos: 1, noLocal: false, retainAsPublished: true, identifier: 0 },
    owesRetained: true,
  },
  { kind: 'retained-sent', key: 'k', filter: 'a/#' },
  { kind: 'unsubscribed', key: 'k', filter: 'a/#' },
  { kind: 'queued', message, deliveries },
  { kind: 'queued', message: forEver, deliveries },
  { kind: 'sent', key: 'k', id: 7, packetId: 65_535 },
  { kind: 'released', key: 'k', id: 7 },
  { kind: 'delivered', key: 'k', id: 7 },
  { kind: 'received', key: 'k', packetIds: [1, 2] },
  { kind: 'completed', key: 'k', packetId: 1 },
  { kind: 'retained', organizationId: 'org-1', message },
  { kind: 'cleared', organizationId: 'org-1', topic: 'a' },
];

test.each(OPERATIONS)('$kind comes back as it was', (operation) => {
  const bytes = Buffer.concat([Buffer.from('xx'), encodeOperation(operation), Buffer.from('y')]);
  expect(decodeOperation(bytes, 2)).toEqual({ operation, end: bytes.length - 1 });
});

test('what was written with the byte arrays in another order is read', () => {
  const json = JSON.stringify({
    kind: 'retained',
    organizationId: 'o',
    message: { ...forEver, properties: { $bytes: 0 }, payload: { $bytes: 1 }, expiresAtMs: { $infinity: true } },
  });
  const lengthed = (text: string): Buffer[] => [Buffer.from([0, 0, 0, text.length]), Buffer.from(text)];
  const bytes = Buffer.concat([
    Buffer.from([0, 0, 0, Buffer.byteLength(json)]),
    Buffer.from(json),
    Buffer.from([0, 0, 0, 2]),
    ...lengthed('first'),
    ...lengthed('second'),
  ]);
  const { operation } = decodeOperation(bytes, 0);
  expect(operation).toEqual({
    kind: 'retained',
    organizationId: 'o',
    message: {
      ...forEver,
      properties: new Uint8Array(Buffer.from('first')),
      payload: new Uint8Array(Buffer.from('second')),
    },
  });
});
