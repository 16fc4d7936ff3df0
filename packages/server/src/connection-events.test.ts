import { silentLogger } from '@fieldline/kit';
import { payloadOf, type RawBatch } from '@fieldline/model';
import { expect, test } from 'vitest';
import { connectionEvent, EventWriter } from './connection-events.ts';

const event = (deviceId: string) =>
  connectionEvent({
    type: 'connection',
    change: 'connected',
    organizationId: 'o',
    deviceId,
    time: 1_700_000_000_000_000,
    reason: '',
  });

test('events of a storm become one append, in order; a failed append is tried again', async () => {
  const appended: RawBatch[] = [];
  let away = true;
  const writer = new EventWriter({
    append: async (batch) => {
      if (away) throw new Error('away');
      appended.push(batch);
    },
    logger: silentLogger,
    gatherMs: 10_000,
  });
  for (const name of ['a', 'b', 'c']) writer.write(event(name));
  await writer.flush();
  away = false;
  writer.write(event('d'));
  await writer.flush();
  const texts = appended.flatMap((batch) =>
    Array.from(
      { length: batch.count },
      (_, index) => JSON.parse(Buffer.from(payloadOf(batch, index)).toString()).subjectId,
    ),
  );
  expect(appended.length).toBe(1);
  expect(texts).toEqual(['a', 'b', 'c', 'd']);
});
