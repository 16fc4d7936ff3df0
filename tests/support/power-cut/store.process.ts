/**
 * A process that works on a telemetry store and ends: `seal` writes samples of one day and seals them, in folders that another one
 * has made and not flushed; `repair` does what the doctor does. In: what, the store's folder, where damaged things go.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '@fieldline/kit';
import { inspectStore, openDuckdbStore, repairStore } from '@fieldline/store';

const [, , what, dir, asideDir] = process.argv as [string, string, 'seal' | 'repair', string, string];
const START = Date.UTC(2026, 0, 10) * 1000;
const COUNT = 500;

if (what === 'seal') await seal();
else await repairStore({ dir, asideDir, oldestOf: () => 0 }, await inspectStore(dir));

async function seal(): Promise<void> {
  const store = await openDuckdbStore({ dir, sealAfterMs: 0, clock: new ManualClock(0) });
  mkdirSync(join(dir, 'sealed', 'org=none', 'day=2026-01-10'), { recursive: true });
  const { epoch, next } = await store.acquire('t', 0);
  const batch = {
    count: COUNT,
    seriesId: new Int32Array(COUNT).fill(1),
    sourceTime: Float64Array.from({ length: COUNT }, (_, row) => START + row * 1_000_000),
    receivedTime: Float64Array.from({ length: COUNT }, (_, row) => START + row * 1_000_000 + 5000),
    value: Float64Array.from({ length: COUNT }, (_, row) => row),
    quality: new Uint8Array(COUNT).fill(192),
    version: new Float64Array(COUNT).fill(1),
    texts: null,
  };
  await store.append(batch, { topic: 't', partition: 0, epoch, next: next + 1 });
  await store.maintain(START + 86_400_000_000);
  await store.close();
}
