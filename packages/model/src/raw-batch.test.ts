import { expect, test } from 'vitest';
import type { Origin } from './origin.ts';
import { originOf, payloadOf, RawBatchBuilder } from './raw-batch.ts';

const origin = (deviceId: string): Origin => ({
  organizationId: 'o',
  deviceId,
  topic: 't',
  codec: 'json',
  source: 'mqtt',
  mappingVersion: 1,
});

test('records come back in order with their origin and bytes, also after growing and being used again', () => {
  const builder = new RawBatchBuilder(1, 4);
  const origins = [origin('a'), origin('b')];
  for (const round of [1, 2]) {
    for (let index = 0; index < 100; index++) {
      builder.add(origins[index % 2]!, index, Buffer.from(`${round}:${'x'.repeat(index)}`));
    }
    const batch = builder.take();
    expect([batch.count, batch.origins.length, builder.count, builder.byteLength]).toEqual([100, 2, 0, 0]);
    for (let index = 0; index < 100; index++) {
      expect(originOf(batch, index)).toBe(origins[index % 2]);
      expect(Buffer.from(payloadOf(batch, index)).toString()).toBe(`${round}:${'x'.repeat(index)}`);
      expect(batch.receivedTime[index]).toBe(index);
    }
  }
});

test('an empty payload is a record', () => {
  const builder = new RawBatchBuilder();
  builder.add(origin('a'), 1, new Uint8Array(0));
  const batch = builder.take();
  expect([batch.count, payloadOf(batch, 0).length]).toEqual([1, 0]);
});
