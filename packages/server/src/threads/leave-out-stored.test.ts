import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@fieldline/kit';
import { type EmbeddedLog, type LogReader, openEmbeddedLog, type TopicName } from '@fieldline/log';
import { type Origin, payloadOf, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { leaveOutStored } from './leave-out-stored.ts';
import { forgetOpenedAt, noteOpenedAt } from './opened-at.ts';

const TOPIC = 'telemetry.raw';
const ORIGIN: Origin = {
  organizationId: 'plant',
  deviceId: 'press-4',
  topic: 'x',
  codec: 'json',
  source: 'mqtt',
  mappingVersion: 1,
};
let dir: string;
let log: EmbeddedLog;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fieldline-leave-out-'));
  log = await openEmbeddedLog({ dir });
});
afterEach(async () => {
  await log.close();
  await rm(dir, { recursive: true, force: true });
});

async function append(...payloads: string[]): Promise<void> {
  const builder = new RawBatchBuilder();
  for (const payload of payloads) builder.add(ORIGIN, 1_000_000, Buffer.from(payload));
  await log.append(TOPIC, builder.take());
}

/** What the pipeline would read from this position on. */
async function readFrom(position: number): Promise<string[]> {
  const { next } = (await log.bounds(TOPIC))[0]!;
  const found: string[] = [];
  for (let at = position; at < next; ) {
    const batch = await log.read(TOPIC, 0, at, { waitMs: 0 });
    if (batch === null) break;
    for (let index = 0; index < batch.count; index += 1) found.push(Buffer.from(payloadOf(batch, index)).toString());
    at = batch.firstPosition + batch.count;
  }
  return found;
}

async function leaveOut(storedNext: number, early: readonly string[]): Promise<void> {
  const openedAt = await log.bounds(TOPIC);
  if (early.length > 0) await append(...early);
  const acquire = async (topic: string, partition: number) => ({ topic, partition, epoch: 1, next: storedNext });
  await leaveOutStored({ topic: TOPIC, openedAt, store: { acquire }, reader: log, writer: log, logger: silentLogger });
}

test('a log that goes on behind what is stored is left as it is', async () => {
  await append('a', 'b', 'c');
  await leaveOut(2, ['d']);
  expect(await readFrom(2)).toEqual(['c', 'd']);
});

test('a log that ends before what is stored goes on behind it', async () => {
  await append('a');
  await leaveOut(1000, []);
  await append('b');
  expect(await readFrom(1000)).toEqual(['b']);
});

test('what was taken in before the store could say how far it is stands behind it', async () => {
  await append('a');
  await leaveOut(1000, ['b', 'c']);
  await append('d');
  expect(await readFrom(1000)).toEqual(['b', 'c', 'd']);
});

test('also where so much was taken in that it reaches over what is stored', async () => {
  await leaveOut(2, ['a', 'b', 'c', 'd']);
  expect((await readFrom(2)).sort()).toEqual(['a', 'b', 'c', 'd']);
});

/** A start that finds the store ahead, acknowledges these, and is killed after so many appends of leaveOutStored. */
async function killedStart(storedNext: number, early: readonly string[], appendsMax: number): Promise<void> {
  const openedAt = noteOpenedAt(dir, await log.bounds(TOPIC), silentLogger);
  await append(...early);
  let appends = 0;
  const writer = {
    advance: async (topic: TopicName, partition: number, position: number) => {
      if (appendsMax < 0) throw new Error('killed');
      await log.advance(topic, partition, position);
    },
    append: async (topic: TopicName, batch: RawBatch) => {
      appends += 1;
      if (appends > appendsMax) throw new Error('killed');
      return log.append(topic, batch);
    },
  };
  // One record at a time, so that it can be killed in between.
  const read: LogReader['read'] = (topic, partition, from, options) =>
    log.read(topic, partition, from, { ...options, recordsMax: 1 });
  const acquire = async (topic: string, partition: number) => ({ topic, partition, epoch: 1, next: storedNext });
  const reader = { read, bounds: (topic: TopicName) => log.bounds(topic) };
  await expect(
    leaveOutStored({ topic: TOPIC, openedAt, store: { acquire }, reader, writer, logger: silentLogger }),
  ).rejects.toThrow('killed');
  await log.close();
  log = await openEmbeddedLog({ dir });
}

test.each([
  ['before it began', -1],
  ['behind the advance', 0],
  ['in between', 2],
])('a start that is killed %s loses nothing that it acknowledged', async (_, appendsMax) => {
  await append('old-1', 'old-2');
  await killedStart(1000, ['a', 'b', 'c', 'd'], appendsMax);
  await killedStart(1000, ['e'], 0);
  const openedAt = noteOpenedAt(dir, await log.bounds(TOPIC), silentLogger);
  const acquire = async (topic: string, partition: number) => ({ topic, partition, epoch: 1, next: 1000 });
  await leaveOutStored({ topic: TOPIC, openedAt, store: { acquire }, reader: log, writer: log, logger: silentLogger });
  expect([...new Set(await readFrom(1000))].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('a start that comes through is forgotten; an unreadable note is passed over', async () => {
  const opened = async (): Promise<readonly number[]> =>
    noteOpenedAt(dir, await log.bounds(TOPIC), silentLogger).map(({ next }) => next);
  await append('a');
  expect(await opened()).toEqual([1]);
  await append('b');
  expect(await opened()).toEqual([1]);
  forgetOpenedAt(dir);
  expect(await opened()).toEqual([2]);
  await writeFile(join(dir, 'log-opened-at.json'), '["');
  expect(await opened()).toEqual([2]);
});
