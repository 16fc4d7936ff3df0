import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Usage } from '../budgets.ts';
import { type Delivery, messageBytes, NO_BYTES, type QoS } from '../message.ts';
import { Outbound } from './outbound.ts';
import { MemorySpool } from './queue-spool.ts';

let lastId = 0;

function delivery(qos: QoS, payloadBytes = 10, expiresAtMs = Number.POSITIVE_INFINITY): Delivery {
  lastId += 1;
  const message = {
    topic: 't',
    payload: new Uint8Array(payloadBytes),
    qos,
    retain: false,
    properties: NO_BYTES,
    expiresAtMs,
  };
  return { message, qos, retain: false, subscriptionIdentifiers: [], id: lastId };
}

const never = (): void => {
  throw new Error('nothing expires here');
};

function sendAll(outbound: Outbound, receiveMaximum = 10): string[] {
  const sent: string[] = [];
  for (
    let work = outbound.next(receiveMaximum, 0, never);
    work !== null;
    work = outbound.next(receiveMaximum, 0, never)
  ) {
    sent.push(`${work.kind} ${work.packetId}${work.kind === 'publish' && work.duplicate ? ' again' : ''}`);
  }
  return sent;
}

test('no more than the receive maximum is on its way; PUBACK and PUBCOMP make room, PUBREC does not', () => {
  const outbound = new Outbound(10_000, new MemorySpool(0));
  for (const qos of [1, 2, 1, 1] as const) outbound.offer(delivery(qos));
  expect(sendAll(outbound, 2)).toEqual(['publish 1', 'publish 2']);
  expect(outbound.puback(1)).not.toBeNull();
  expect(sendAll(outbound, 2)).toEqual(['publish 3']);
  expect(outbound.pubrec(2)).not.toBeNull();
  expect(sendAll(outbound, 2)).toEqual([]);
  expect(outbound.pubcomp(2)).not.toBeNull();
  expect(sendAll(outbound, 2)).toEqual(['publish 4']);
});

test('answers that do not fit are not taken', () => {
  const outbound = new Outbound(10_000, new MemorySpool(0));
  for (const qos of [1, 2] as const) outbound.offer(delivery(qos));
  sendAll(outbound);
  expect([outbound.puback(2), outbound.pubrec(1), outbound.pubcomp(2), outbound.puback(9)]).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(outbound.inFlightCount).toBe(2);
  expect(outbound.pubrecRefused(2)).not.toBeNull();
  expect(outbound.puback(1)).not.toBeNull();
  expect([outbound.queuedCount, outbound.inFlightCount]).toEqual([0, 0]);
});

test('after a reconnect everything comes again in its order, within the receive maximum', () => {
  const outbound = new Outbound(10_000, new MemorySpool(0));
  for (const qos of [1, 2, 1] as const) outbound.offer(delivery(qos));
  sendAll(outbound);
  outbound.pubrec(2);
  outbound.offer(delivery(1));
  outbound.reconnect();
  expect(sendAll(outbound, 1)).toEqual(['publish 1 again', 'pubrel 2']);
  outbound.puback(1);
  expect(sendAll(outbound, 1)).toEqual(['publish 3 again']);
  outbound.puback(3);
  expect(sendAll(outbound, 1)).toEqual(['publish 4']);
});

test('when the queue is full the oldest that was not sent gives way', () => {
  const outbound = new Outbound(1_000, new MemorySpool(0)); // room for three of 100 + overhead
  const all = Array.from({ length: 6 }, () => delivery(1, 200));
  const dropped = all.flatMap((one) => outbound.offer(one));
  expect(dropped).toEqual(all.slice(0, 4 - 1));
  expect(outbound.offer(delivery(1, 2_000))).toHaveLength(1);
  expect(outbound.queuedCount).toBe(3);
  sendAll(outbound);
  expect(outbound.queuedBytes).toBe(0);
});

test('what has expired is not sent', () => {
  const outbound = new Outbound(10_000, new MemorySpool(0));
  const old = delivery(1, 10, 50);
  outbound.offer(old);
  outbound.offer(delivery(1));
  const expired: Delivery[] = [];
  expect(outbound.next(10, 50, (one) => expired.push(one))).toMatchObject({ packetId: 1 });
  expect(expired).toEqual([old]);
});

test('packet ids go round and pass over those in use', () => {
  const outbound = new Outbound(10_000, new MemorySpool(0));
  outbound.offer(delivery(1));
  sendAll(outbound); // packet id 1 stays in use
  for (let i = 2; i <= 65_535; i++) {
    outbound.offer(delivery(1));
    outbound.next(10, 0, never);
    outbound.puback(i);
  }
  outbound.offer(delivery(1));
  expect(sendAll(outbound)).toEqual(['publish 2']);
});

test('whatever happens, the budget counts what is held: queued and in flight', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('offer' as const),
      qos: fc.constantFrom(1 as const, 2 as const),
      bytes: fc.nat(500),
    }),
    fc.record({
      kind: fc.constantFrom('next', 'puback', 'pubrec', 'pubcomp', 'expire', 'share', 'reconnect'),
      id: fc.nat(5),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const total = new Usage(null);
      const outbound = new Outbound(2_000, new MemorySpool(0));
      outbound.countIn(new Usage(total));
      for (const one of steps) {
        if ('qos' in one) outbound.offer(delivery(one.qos, one.bytes, one.bytes % 3 === 0 ? 50 : undefined));
        else if (one.kind === 'next') outbound.next(3, 100, () => {});
        else if (one.kind === 'puback') outbound.puback(one.id);
        else if (one.kind === 'pubrec') outbound.pubrec(one.id);
        else if (one.kind === 'pubcomp') outbound.pubcomp(one.id);
        else if (one.kind === 'expire') outbound.takeExpired(100);
        else if (one.kind === 'share') outbound.offerShared(({ id }) => id % 2 === 0);
        else outbound.reconnect();
        const held = [...outbound.unfinished()].map(({ delivery: { message } }) => messageBytes(message));
        expect(total.queue + total.inFlight).toBe(held.reduce((sum, bytes) => sum + bytes, 0));
      }
      outbound.clear();
      expect(total.isZero).toBe(true);
    }),
  );
});
