import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { TestOrigins, testBatch, testRecords } from '../testing.ts';
import { openEmbeddedLog } from './embedded-log.ts';

it('readers in other threads follow the writer and learn that it has closed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fieldline-threads-'));
  const log = await openEmbeddedLog({ dir, segmentBytesMax: 100_000 });
  await log.append('telemetry.raw', testBatch(new TestOrigins(), testRecords(0, 1)));
  await log.commitPosition('other', 'telemetry.raw', 0, 1);
  const until = 10_000;
  const workerData = { shared: log.shareable(), until };
  const workers = [1, 2].map(() => new Worker(new URL('./threads.fixture.ts', import.meta.url), { workerData }));
  const answers = workers.map((worker) => once(worker, 'message'));
  const origins = new TestOrigins();
  for (let at = 1; at < until; at += 99) {
    await log.append('telemetry.raw', testBatch(origins, testRecords(at, Math.min(99, until - at))));
  }
  for (const answer of answers) {
    expect((await answer)[0]).toEqual({ next: until, sum: (until * (until - 1)) / 2, committed: 1 });
  }
  const closings = workers.map((worker) => once(worker, 'message'));
  await log.close();
  for (const closing of closings) expect((await closing)[0]).toBe('STOPPED');
  await Promise.all(workers.map((worker) => worker.terminate()));
  await rm(dir, { recursive: true });
});
