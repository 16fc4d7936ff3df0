import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Room } from '../storage-watch.ts';
import { refuseWithoutRoom } from './sandbox-room.ts';

const GIB = 1024 ** 3;
const MUCH: Room = { freeBytes: 50 * GIB, totalBytes: 100 * GIB };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fieldline-sandbox-room-'));
  for (const job of ['a', 'b']) {
    await mkdir(join(folder, job, 'sealed'), { recursive: true });
    await writeFile(join(folder, job, 'store.duckdb'), Buffer.alloc(600));
    await writeFile(join(folder, job, 'sealed', 'day.parquet'), Buffer.alloc(400));
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const asked = (bytesMax: number, room: Room = MUCH) =>
  refuseWithoutRoom({ folder, bytesMax, measure: async () => room });

test('as long as there is room in both nothing is refused', async () => {
  await asked(2001);
});

test('sandboxes that are as large as they may be together', async () => {
  await expect(asked(2000)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('jobs.sandboxBytesMax'),
  });
});

test.each<[string, Room]>([
  ['of a large disk', { freeBytes: 2.4 * GIB, totalBytes: 1000 * GIB }],
  ['of a small disk', { freeBytes: 0.6 * GIB, totalBytes: 10 * GIB }],
])('a disk that is nearly low: %s', async (_, room) => {
  await expect(asked(1e9, room)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('left on the disk'),
  });
  await asked(1e9, { ...room, freeBytes: room.freeBytes * 1.1 });
});

test('how much room there is on the disk is measured where nobody says it', async () => {
  await expect(refuseWithoutRoom({ folder, bytesMax: 0 })).rejects.toMatchObject({ code: 'CONFLICT' });
});
