import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DiskFile, diskError, ManualClock, Metrics, type OpenDiskFile, openDiskFile } from '@fieldline/kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogDamage } from '../log.ts';
import { readAll, TestOrigins, testBatch, testRecords } from '../testing.ts';
import { type EmbeddedLog, openEmbeddedLog } from './embedded-log.ts';
import { openEmbeddedLogReader, partitionFolder } from './embedded-reader.ts';

const TOPIC = 'telemetry.raw';
let dir: string;
let log: EmbeddedLog;
let damage: LogDamage[];
const faults = { isFull: false, isSyncFailing: false, isWritingWhole: false, isTruncateFailing: false };
const origins = new TestOrigins();

/** Real files on a disk that can be full, or whose flushes can fail. */
const openFile: OpenDiskFile = async (path, mode) => {
  const file = await openDiskFile(path, mode);
  return {
    path,
    write: async (buffers, at) => {
      if (!faults.isFull) return file.write(buffers, at);
      await file.write(faults.isWritingWhole ? buffers : [Buffer.concat(buffers).subarray(0, 100)], at);
      throw diskError('writing to', path, Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    },
    sync: async () => {
      if (faults.isSyncFailing) throw diskError('flushing', path, Object.assign(new Error('EIO'), { code: 'EIO' }));
      await file.sync();
    },
    truncate: async (length) => {
      if (faults.isTruncateFailing) throw diskError('cutting', path, Object.assign(new Error('EIO'), { code: 'EIO' }));
      await file.truncate(length);
    },
    byteLength: () => file.byteLength(),
    close: () => file.close(),
  } satisfies DiskFile;
};

const append = (from: number, count: number): ReturnType<EmbeddedLog['append']> =>
  log.append(TOPIC, testBatch(origins, testRecords(from, count)));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fieldline-faults-'));
  damage = [];
  log = await openEmbeddedLog({ dir, openFile, onDamage: (found) => damage.push(found) });
});
afterEach(async () => {
  for (const fault of Object.keys(faults) as (keyof typeof faults)[]) faults[fault] = false;
  await log.close();
  await rm(dir, { recursive: true });
});

const sequences = async (): Promise<number[]> => (await readAll(log, TOPIC)).map(({ sequence }) => sequence);

describe('the embedded log on a full disk', () => {
  it('rejects with DISK_FULL and goes on without a gap when there is room again', async () => {
    await append(0, 3);
    faults.isFull = true;
    await expect(append(3, 3)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await sequences()).toEqual([0, 1, 2]);
    const [file] = await readdir(partitionFolder(dir, TOPIC, 0));
    const { size } = await stat(join(partitionFolder(dir, TOPIC, 0), file!));
    expect(size, 'the part that was written is gone').toBe((await log.bounds(TOPIC))[0]!.byteLength);
    faults.isFull = false;
    expect(await append(3, 3)).toMatchObject([{ firstPosition: 3 }]);
    await log.close();
    log = await openEmbeddedLog({ dir, onDamage: (found) => damage.push(found) });
    expect(await sequences()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(damage).toEqual([]);
  });

  it('leaves no file behind whose first append had no room', async () => {
    faults.isFull = true;
    await expect(append(0, 3)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await readdir(partitionFolder(dir, TOPIC, 0))).toEqual([]);
    faults.isFull = false;
    expect(await append(0, 3)).toMatchObject([{ firstPosition: 0 }]);
  });
});

describe('the embedded log on a disk that refuses to cut off what it refused', () => {
  const refuse = async (from: number): Promise<void> => {
    Object.assign(faults, { isFull: true, isWritingWhole: true, isTruncateFailing: true });
    await expect(append(from, 1)).rejects.toMatchObject({ code: 'DISK_FULL' });
    Object.assign(faults, { isFull: false, isWritingWhole: false, isTruncateFailing: false });
  };

  it('never gives out what was refused instead of what was acknowledged after it', async () => {
    const reader = openEmbeddedLogReader({ shared: log.shareable() });
    const seen = async (): Promise<number[]> => (await readAll(reader, TOPIC)).map(({ sequence }) => sequence);
    await append(0, 2);
    await refuse(100);
    expect(await seen(), 'before there is a next file').toEqual([0, 1]);
    await refuse(101);
    expect(await append(2, 2)).toMatchObject([{ firstPosition: 3 }]);
    await append(4, 1);
    expect(await seen()).toEqual([0, 1, 2, 3, 4]);
    expect(await sequences()).toEqual([0, 1, 2, 3, 4]);
    await reader.close();
    await log.close();
    log = await openEmbeddedLog({ dir });
    expect(await sequences(), 'after a start').toEqual([0, 1, 2, 3, 4]);
    expect(await log.positionAtTime(TOPIC, 0, 9e15), 'later than all').toBe(6);
  });
});

describe('the embedded log on a disk that refuses a flush', () => {
  it('rejects what was under way, begins a new file, and never uses the positions again', async () => {
    await append(0, 3);
    faults.isSyncFailing = true;
    const rejected = await Promise.allSettled([append(3, 2), append(5, 2)]);
    expect(rejected.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(damage).toMatchObject([{ topic: TOPIC }]);
    faults.isSyncFailing = false;
    const [range] = await append(7, 2);
    expect(range!.firstPosition).toBe(7);
    expect(await sequences()).toEqual([0, 1, 2, 7, 8]);
    expect(await readdir(partitionFolder(dir, TOPIC, 0))).toHaveLength(2);
    await log.close();
    log = await openEmbeddedLog({ dir });
    expect(await sequences()).toEqual([0, 1, 2, 7, 8]);
  });
});

describe('the embedded log at its limits', () => {
  const reopen = async (options: object): Promise<void> => {
    await log.close();
    log = await openEmbeddedLog({ dir, ...options });
  };

  it('refuses a record that is too large and appends when too much waits', async () => {
    await reopen({ recordBytesMax: 1000, waitingBytesMax: 1500 });
    await expect(log.append(TOPIC, testBatch(origins, testRecords(0, 1), 1000))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => append(i, 1)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'OVERLOADED' });
    expect((await sequences()).length).toBe(50 - refused.length);
    await append(50, 1);
  });

  it('refuses another number of partitions and a newer format', async () => {
    await log.close();
    const topics = { [TOPIC]: { partitions: 2, retentionMs: null, retentionBytes: null } };
    await expect(openEmbeddedLog({ dir, topics })).rejects.toMatchObject({ code: 'CONFIG_CONFLICT' });
    const format = await openDiskFile(join(dir, 'format'), 'new');
    await format.write([Buffer.from('{"version":2,"partitions":{}}')], 0);
    await format.close();
    await expect(openEmbeddedLog({ dir })).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
  });

  it('begins a new file when one is old, so that a quiet topic can be deleted', async () => {
    const clock = new ManualClock();
    await reopen({ clock, segmentSpanMsMax: 1000 });
    await append(0, 3);
    clock.advanceMs(1001);
    await append(3, 3);
    expect(await readdir(partitionFolder(dir, TOPIC, 0))).toHaveLength(2);
    await log.enforceRetention(clock.nowMicros() + 365 * 86_400_000_000);
    expect((await log.bounds(TOPIC))[0]).toMatchObject({ first: 6, next: 6, byteLength: 0 });
    expect(await append(6, 1)).toMatchObject([{ firstPosition: 6 }]);
    await reopen({});
    expect(await readAll(log, TOPIC, 0, 6)).toHaveLength(1);
  });

  it('lets a reader finish the file that retention deletes', async () => {
    await reopen({ segmentBytesMax: 1 });
    for (let i = 0; i < 10; i++) await append(i * 3, 3);
    const reader = openEmbeddedLogReader({ shared: log.shareable() });
    expect((await reader.read(TOPIC, 0, 0, { recordsMax: 1 }))!.count).toBe(1);
    const reading = reader.read(TOPIC, 0, 3, { recordsMax: 2 });
    await log.enforceRetention(365 * 86_400_000_000);
    const outcome = await reading.catch((error: { code: string }) => error.code);
    expect(outcome === 'LOG_POSITION_GONE' || (outcome as { count: number }).count === 2).toBe(true);
    await expect(reader.read(TOPIC, 0, 6)).rejects.toMatchObject({ code: 'LOG_POSITION_GONE' });
    await reader.close();
  });

  it('counts in metrics what it does', async () => {
    const metrics = new Metrics();
    await reopen({ metrics });
    await append(0, 3);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`log_records_appended_total{topic="${TOPIC}"} 3`);
    expect(text).toMatch(/log_append_duration_seconds_count 1/);
    expect(text).toMatch(/log_flush_bytes_count 1/);
    expect(text).toMatch(/log_bytes\{topic="telemetry.raw"\} [1-9]/);
  });
});
