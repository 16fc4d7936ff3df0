import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@fieldline/kit';
import { testStore } from '../conformance.ts';
import type { RetentionSettings, TelemetryStore } from '../store.ts';
import { type DuckdbStoreOptions, openDuckdbStore } from './open-store.ts';

const opened = new Map<TelemetryStore, DuckdbStoreOptions>();

async function open(options: DuckdbStoreOptions): Promise<TelemetryStore> {
  const store = await openDuckdbStore(options);
  opened.set(store, options);
  return store;
}

testStore('duckdb', {
  async open(retention: RetentionSettings) {
    const dir = await mkdtemp(join(tmpdir(), 'fieldline-store-'));
    return open({
      dir,
      clock: new ManualClock(0),
      retention,
      sealAfterMs: 0,
      compactAfterMs: 0,
      retentionGraceMs: 0,
      rollUpAfterMs: 0,
      walBytesMax: 0,
    });
  },
  async reopen(store) {
    const options = opened.get(store)!;
    await store.close();
    return open(options);
  },
  async dispose(store) {
    await store.close();
    await rm(opened.get(store)!.dir, { recursive: true, force: true });
  },
});
