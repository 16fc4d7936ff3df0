/** No file can be written: what is noted does not gather without end, attempts are not made in a hurry, and nothing is lost. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DiskFile, FieldlineError, ManualClock, openDiskFile, silentLogger } from '@fieldline/kit';
import { afterAll, expect, test } from 'vitest';
import { NO_BYTES } from '../message.ts';
import { Router } from '../router/router.ts';
import { until } from '../testing/harness.ts';
import { JournalSessionStore } from './journal-session-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'fieldline-full-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PAYLOAD_BYTES = 60_000;

class FailingDisk {
  broken: 'write' | 'sync' | null = null;
  attempts = 0;

  readonly open = async (path: string, mode: 'existing' | 'new'): Promise<DiskFile> => {
    const real = await openDiskFile(path, mode);
    return {
      path: real.path,
      write: async (buffers, at) => {
        this.#attempt('write');
        await real.write(buffers, at);
      },
      sync: async () => {
        this.#attempt('sync');
        await real.sync();
      },
      truncate: (length) => real.truncate(length),
      byteLength: () => real.byteLength(),
      close: () => real.close(),
    };
  };

  #attempt(what: 'write' | 'sync'): void {
    if (this.broken === null) return;
    this.attempts += 1;
    if (what === this.broken) throw new FieldlineError('DISK_FULL', 'no space left on the device');
  }
}

class World {
  readonly disk = new FailingDisk();
  readonly store: JournalSessionStore;
  readonly router: Router;

  constructor(path: string) {
    this.store = new JournalSessionStore(path, silentLogger, this.disk.open);
    this.router = new Router({
      store: this.store,
      clock: new ManualClock(),
      retainedBytesMax: 64_000_000,
      dropped: () => {},
    });
  }

  async open(): Promise<this> {
    for (const operation of await this.store.open(() => this.router.snapshot())) {
      if (operation.kind !== 'retained') throw new Error(operation.kind);
      this.router.restoreRetained(operation.organizationId, operation.message.topic, operation.message);
    }
    return this;
  }

  retain(topic: string, payload: Uint8Array): void {
    const message = { topic, payload, qos: 0, retain: true, properties: NO_BYTES, expiresAtMs: Infinity } as const;
    this.router.publish('org-1', message, null);
  }

  get values(): Record<string, number> {
    const retained = [...this.router.snapshot()].filter((operation) => operation.kind === 'retained');
    return Object.fromEntries(retained.map(({ message }) => [message.topic, message.payload[0]!]));
  }
}

async function valuesIn(path: string): Promise<Record<string, number>> {
  const world = await new World(path).open();
  await world.store.close();
  return world.values;
}

test.each(['write', 'sync'] as const)(
  'a %s that fails: what waits is bounded, and is there when there is room',
  async (what) => {
    const path = join(folder, `${what}.journal`);
    const world = await new World(path).open();
    const { disk, store } = world;
    world.retain('app/before', Buffer.alloc(10, 1));
    await store.durable();
    disk.broken = what;
    let most = 0;
    const fromMs = performance.now();
    for (let count = 0; count < 1_000; count++) {
      world.retain('app/state', Buffer.alloc(PAYLOAD_BYTES, count % 251));
      most = Math.max(most, store.waitingBytes);
      if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    world.retain('app/last', Buffer.alloc(10, 7));
    // 60 MB were noted, of which 8 MiB may be kept; before the first attempt has failed a little more.
    expect(most).toBeLessThan(12 * 1024 * 1024);
    await expect(store.durable()).rejects.toThrow();
    expect(store.isPending).toBe(true);
    // At most 20 in the first second, then ever fewer; each is a write and a sync.
    expect(disk.attempts).toBeLessThan(2 * (20 + ((performance.now() - fromMs) / 1000) * 4));
    disk.broken = null;
    // By itself: nobody asks for it.
    await until(() => !store.isPending, 'it is written');
    expect(store.waitingBytes).toBe(0);
    world.retain('app/after', Buffer.alloc(10, 9));
    await store.durable();
    const copy = join(folder, `${what}-copy.journal`);
    writeFileSync(copy, readFileSync(path));
    await store.close();
    expect(await valuesIn(copy)).toEqual({
      'app/before': 1,
      'app/state': 999 % 251,
      'app/last': 7,
      'app/after': 9,
    });
  },
);

test('what is noted while a snapshot is written that is due is not let go with it', async () => {
  const path = join(folder, 'meanwhile.journal');
  const world = await new World(path).open();
  world.disk.broken = 'sync';
  world.retain('app/a', Buffer.alloc(10, 1));
  await expect(world.store.durable()).rejects.toThrow();
  world.disk.broken = null;
  const written = world.store.durable();
  for (let count = 0; count < 50; count++) {
    world.retain(`app/${count}`, Buffer.alloc(10, count));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await written;
  await world.store.durable();
  await world.store.close();
  expect(await valuesIn(path)).toEqual(world.values);
});
