/** Retention beside a store that is behind: on a real log, records that are not stored stay. */
import { FieldlineError, silentLogger } from '@fieldline/kit';
import { createMemoryLog, type Log } from '@fieldline/log';
import { type Origin, rawBatchOf } from '@fieldline/model';
import { beforeEach, expect, test } from 'vitest';
import { LogRetention } from './log-retention.ts';

const DAY = 86_400_000_000;
let log: Log;
let retention: LogRetention;
let nowMicros = 0;

const origin: Origin = {
  organizationId: 'o',
  deviceId: 'd',
  topic: 't',
  codec: 'json',
  source: 'mqtt',
  mappingVersion: 1,
};

beforeEach(async () => {
  const topics = { partitions: 1, retentionMs: 1000, retentionBytes: null };
  log = createMemoryLog({ 'telemetry.raw': topics, events: topics, 'dead-letters': topics, commands: topics });
  nowMicros = DAY;
  const clock = { nowMicros: () => nowMicros, nowMs: () => nowMicros / 1000, monotonicMs: () => nowMicros / 1000 };
  retention = new LogRetention({ log, eventsGroup: 'catalog-events', clock, logger: silentLogger });
  for (const topic of ['telemetry.raw', 'events', 'dead-letters'] as const) {
    for (let record = 0; record < 10; record++) {
      await log.append(topic, rawBatchOf([{ origin, receivedTime: record, payload: Buffer.from('x') }]));
    }
  }
});

const first = async (topic: 'telemetry.raw' | 'events' | 'dead-letters'): Promise<number> =>
  (await log.bounds(topic))[0]!.first;

test('before the store has told how far it is, nothing of telemetry.raw is deleted', async () => {
  await retention.enforce();
  expect(await first('telemetry.raw')).toBe(0);
  expect(await first('dead-letters')).toBe(9);
});

test('what is stored is deleted when it is past its age, what is not stays', async () => {
  retention.storedUpTo(0, 4);
  await retention.enforce();
  expect(await first('telemetry.raw')).toBe(4);
  retention.storedUpTo(0, 10);
  await retention.enforce();
  expect(await first('telemetry.raw')).toBe(9);
});

test('events stay until the catalog has them', async () => {
  await retention.enforce();
  expect(await first('events')).toBe(0);
  await log.commitPosition('catalog-events', 'events', 0, 6);
  await retention.enforce();
  expect(await first('events')).toBe(6);
});

test('a log that cannot delete is asked again', async () => {
  let calls = 0;
  const failing = {
    ...log,
    bounds: log.bounds.bind(log),
    committedPosition: log.committedPosition.bind(log),
    enforceRetention: async () => {
      calls += 1;
      throw new FieldlineError('INTERNAL', 'no');
    },
  };
  const again = new LogRetention({
    log: failing,
    eventsGroup: 'g',
    clock: { nowMicros: () => 0, nowMs: () => 0, monotonicMs: () => 0 },
    logger: silentLogger,
  });
  await again.enforce();
  await again.enforce();
  expect(calls).toBe(2);
});
