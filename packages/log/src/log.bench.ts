/**
 * How fast records go through the embedded log: appended durably by this thread, read by another one. Arguments (all
 * optional): seconds, records per append, origins, appends under way. Prints one line of JSON per figure.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Origin, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import { openEmbeddedLog } from './embedded/embedded-log.ts';
import { openEmbeddedLogReader, type SharedLog } from './embedded/embedded-reader.ts';

const TOPIC = 'telemetry.raw';
const PAYLOAD_BYTES = 300;

if (isMainThread) await main();
else await readInThread(workerData as SharedLog);

async function main(): Promise<void> {
  const [seconds = 5, ...shape] = process.argv.slice(2).map(Number);
  const shapes =
    shape.length > 0
      ? [shape]
      : [
          [1000, 1000],
          [4000, 1000],
          [100, 100],
        ];
  for (const [records = 1000, origins = 1000, underWay = 4] of shapes)
    await measure(seconds, records, origins, underWay);
}

async function measure(seconds: number, records: number, originCount: number, underWay: number): Promise<void> {
  const dir = await mkdtemp(join(process.env.FIELDLINE_BENCH_DIR ?? tmpdir(), 'fieldline-log-bench-'));
  const log = await openEmbeddedLog({ dir });
  const worker = new Worker(import.meta.filename, { workerData: log.shareable() });
  const batches = makeBatches(records, originCount);
  const startMs = performance.now();
  const delays: number[] = [];
  let count = 0;
  const appendOn = async (first: number): Promise<void> => {
    for (let i = first; performance.now() - startMs < seconds * 1000; i += underWay) {
      const beforeMs = performance.now();
      await log.append(TOPIC, batches[i % batches.length]!);
      delays.push(performance.now() - beforeMs);
      count += records;
    }
  };
  await Promise.all(Array.from({ length: underWay }, (_, i) => appendOn(i)));
  const appendMs = performance.now() - startMs;
  const { next, byteLength } = (await log.bounds(TOPIC))[0]!;
  const reader = await new Promise<object>((resolve) => {
    worker.once('message', resolve);
    worker.postMessage(next);
  });
  const bothMs = performance.now() - startMs;
  delays.sort((a, b) => a - b);
  const { cpu, ...rest } = { cpu: cpus()[0]?.model, ...reader };
  console.log(
    JSON.stringify({
      bench: 'log',
      machine: `${cpus().length} × ${cpu}`,
      recordsPerAppend: records,
      origins: originCount,
      appendsUnderWay: underWay,
      recordBytes: PAYLOAD_BYTES,
      appendedPerSecond: Math.round((count / appendMs) * 1000),
      appendedAndReadPerSecond: Math.round((count / bothMs) * 1000),
      appendP50Ms: delays[delays.length >> 1]?.toFixed(2),
      appendP99Ms: delays[Math.floor(delays.length * 0.99)]?.toFixed(2),
      bytesPerRecord: Math.round(byteLength / count),
      ...rest,
    }),
  );
  await worker.terminate();
  await log.close();
  await rm(dir, { recursive: true });
}

function makeBatches(records: number, originCount: number): RawBatch[] {
  const origins: Origin[] = Array.from({ length: originCount }, (_, i) => ({
    organizationId: '01900000-0000-7000-8000-000000000001',
    deviceId: `01900000-0000-7000-8000-${String(i).padStart(12, '0')}`,
    topic: `v1/telemetry/01900000-0000-7000-8000-000000000001/01900000-0000-7000-8000-${String(i).padStart(12, '0')}`,
    codec: 'json',
    source: 'mqtt',
    mappingVersion: 1,
    mappingId: '00000000-0000-7000-8000-000000000001',
  }));
  const payload = new Uint8Array(PAYLOAD_BYTES).fill(0x61);
  return Array.from({ length: 16 }, (_, b) => {
    const builder = new RawBatchBuilder(records, records * PAYLOAD_BYTES);
    for (let i = 0; i < records; i++)
      builder.add(origins[(b * records + i) % originCount]!, Date.now() * 1000, payload);
    return builder.take();
  });
}

/** Reads everything and adds something up over each record, as a decoder would touch it. */
async function readInThread(shared: SharedLog): Promise<void> {
  const reader = openEmbeddedLogReader({ shared });
  let until = Number.POSITIVE_INFINITY;
  parentPort!.once('message', (position: number) => {
    until = position;
  });
  const seen = new Set<Origin>();
  let next = 0;
  let batches = 0;
  let busyMs = 0;
  let touched = 0;
  while (next < until) {
    const beforeMs = performance.now();
    const batch = await reader.read(TOPIC, 0, next, { recordsMax: 20_000, bytesMax: 8 * 1024 * 1024 });
    busyMs += performance.now() - beforeMs;
    if (batch === null) {
      await reader.read(TOPIC, 0, next, { waitMs: 100, recordsMax: 1 });
      continue;
    }
    for (let i = 0; i < batch.count; i++) touched += batch.bytes[batch.payloadEnd[i]! - 1]! + batch.originIndex[i]!;
    for (const origin of batch.origins) seen.add(origin);
    next += batch.count;
    batches += 1;
  }
  parentPort!.postMessage({
    recordsPerRead: Math.round(next / batches),
    readNsPerRecord: Math.round((busyMs * 1e6) / next),
    originObjects: seen.size,
    touched: touched % 10,
  });
  await reader.close();
}
