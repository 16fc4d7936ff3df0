/** A power cut tears the last write of the session journal: whatever of it is left, what was durable before is there, and no half of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DiskFile, openDiskFile, silentLogger } from '@fieldline/kit';
import { afterAll, expect, test } from 'vitest';
import { JournalSessionStore } from './journal-session-store.ts';
import type { StoredOperation } from './session-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'fieldline-torn-'));
afterAll(() => rmSync(folder, { recursive: true }));

const operation = (packetId: number): StoredOperation => ({ kind: 'received', key: 'a', packetIds: [packetId] });

/** The operations in a journal of these bytes. */
async function operationsIn(bytes: Uint8Array): Promise<readonly StoredOperation[]> {
  const path = join(folder, 'torn.journal');
  writeFileSync(path, bytes);
  const store = new JournalSessionStore(path, silentLogger);
  const operations = [...(await store.open(() => []))];
  await store.close();
  return operations;
}

test('cut off at every byte, and with zeros where it was', async () => {
  const path = join(folder, 'whole.journal');
  const store = new JournalSessionStore(path, silentLogger);
  await store.open(() => []);
  for (const packetId of [1, 2, 3]) {
    store.note(operation(packetId));
    await store.durable();
  }
  const durableLength = readFileSync(path).length;
  store.note(operation(4));
  store.note(operation(5));
  await store.durable();
  await store.close();
  const bytes = readFileSync(path);
  const before = [1, 2, 3].map(operation);
  expect(await operationsIn(bytes)).toEqual([...before, operation(4), operation(5)]);
  for (let length = durableLength; length < bytes.length; length++) {
    expect(await operationsIn(bytes.subarray(0, length)), `cut off at ${length}`).toEqual(before);
    const zeroed = Buffer.from(bytes).fill(0, length);
    // Where the last bytes are zeros anyway nothing is missing.
    if (!zeroed.equals(bytes)) expect(await operationsIn(zeroed), `zeros from ${length}`).toEqual(before);
  }
});

test('a flush that fails once: nothing of it counts as durable, and the next attempt writes a whole new file', async () => {
  const path = join(folder, 'failing.journal');
  const alive: StoredOperation[] = [];
  let failing = false;
  const openFile = async (file: string, mode: 'existing' | 'new'): Promise<DiskFile> => {
    const real = await openDiskFile(file, mode);
    const sync = async (): Promise<void> => {
      if (failing) throw new Error('EIO: i/o error, fdatasync');
      await real.sync();
    };
    return {
      path: real.path,
      write: (buffers, at) => real.write(buffers, at),
      sync,
      truncate: (length) => real.truncate(length),
      byteLength: () => real.byteLength(),
      close: () => real.close(),
    };
  };
  const store = new JournalSessionStore(path, silentLogger, openFile);
  await store.open(() => alive);
  const note = (packetId: number): void => {
    alive.push(operation(packetId));
    store.note(operation(packetId));
  };
  note(1);
  await store.durable();
  failing = true;
  note(2);
  await expect(store.durable()).rejects.toThrow('flush');
  expect(store.isPending).toBe(true);
  failing = false;
  note(3);
  await store.durable();
  note(4);
  await store.durable();
  await store.close();
  expect(await operationsIn(readFileSync(path))).toEqual([1, 2, 3, 4].map(operation));
});
