/** The disk that forgets forgets what it should, and nothing else. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../server-process.ts';
import { RecordedDisk } from './recorded-disk.ts';
import { parseCall, type SystemCall } from './system-calls.ts';

const ROOT = '/data';
let now = 0;

function call(name: string, path: string, more: Partial<SystemCall> = {}): SystemCall {
  now += 1;
  const nothing = { newPath: '', data: Buffer.alloc(0), fileOffset: -1, flags: '' };
  return { name, path: `${ROOT}${path}`, startedAt: now, endedAt: now + 0.5, ...nothing, ...more };
}

const create = (path: string): SystemCall => call('openat', path, { flags: 'O_RDWR|O_CREAT' });
const write = (path: string, text: string, fileOffset: number): SystemCall =>
  call('pwrite64', path, { data: Buffer.from(text), fileOffset });

/** What is found after a cut behind these calls: file → content. */
function foundAfter(calls: readonly SystemCall[], chance?: () => number): Record<string, string> {
  const folder = temporaryFolder('recorded-disk');
  const root = join(folder.path, 'root');
  mkdirSync(root);
  const disk = new RecordedDisk(root);
  disk.take(
    calls.map((each) => ({ ...each, path: each.path.replace(ROOT, root), newPath: each.newPath.replace(ROOT, root) })),
  );
  disk.advanceTo(now + 1);
  disk.writeTo(join(folder.path, 'found'), chance ?? 'lost');
  const found: Record<string, string> = {};
  for (const entry of readdirSync(join(folder.path, 'found'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) found[entry.name] = readFileSync(join(entry.parentPath, entry.name), 'utf8');
  }
  folder.remove();
  return found;
}

test.each<[string, () => SystemCall[], Record<string, string>]>([
  ['nothing flushed', () => [create('/a'), write('/a', 'one', 0)], {}],
  ['content flushed, name not', () => [create('/a'), write('/a', 'one', 0), call('fsync', '/a')], {}],
  ['name flushed, content not', () => [create('/a'), write('/a', 'one', 0), call('fsync', '')], { a: '' }],
  ['both', () => [create('/a'), write('/a', 'one', 0), call('fdatasync', '/a'), call('fsync', '')], { a: 'one' }],
  [
    'written after the flush',
    () => [create('/a'), call('fsync', ''), write('/a', 'one', 0), call('fsync', '/a'), write('/a', 'two', 3)],
    { a: 'one' },
  ],
  [
    'a name below a folder without a name',
    () => [call('mkdir', '/f'), create('/f/a'), write('/f/a', 'one', 0), call('fsync', '/f/a'), call('fsync', '/f')],
    {},
  ],
  [
    'renamed, not flushed',
    () => [
      create('/a'),
      write('/a', 'one', 0),
      call('fsync', '/a'),
      call('fsync', ''),
      call('rename', '/a', { newPath: `${ROOT}/b` }),
    ],
    { a: 'one' },
  ],
  [
    'renamed, flushed',
    () => [
      create('/a'),
      write('/a', 'one', 0),
      call('fsync', '/a'),
      call('rename', '/a', { newPath: `${ROOT}/b` }),
      call('fsync', ''),
    ],
    { b: 'one' },
  ],
  ['removed, not flushed', () => [create('/a'), call('fsync', ''), call('unlink', '/a')], { a: '' }],
  [
    'cut off, not flushed',
    () => [
      create('/a'),
      write('/a', 'one', 0),
      call('fsync', '/a'),
      call('fsync', ''),
      call('ftruncate', '/a', { fileOffset: 1 }),
    ],
    { a: 'one' },
  ],
])('%s', (_, calls, expected) => {
  expect(foundAfter(calls())).toEqual(expected);
});

test('a write that had not ended when the flush began is not covered by it', () => {
  const calls = [create('/b'), call('fsync', ''), { ...write('/b', 'one', 0), endedAt: now + 10 }, call('fsync', '/b')];
  expect(foundAfter(calls)).toEqual({ b: '' });
});

test('by chance a later page may be there without an earlier one', () => {
  const pages = 'x'.repeat(4096) + 'y'.repeat(4096);
  const chances = [0.9, 0.9, 0.1]; // The names, the first page, the second.
  const found = foundAfter([create('/a'), call('fsync', ''), write('/a', pages, 0)], () => chances.shift() ?? 0);
  expect(found.a).toBe('\0'.repeat(4096) + 'y'.repeat(4096));
});

test("strace's lines are understood", () => {
  expect(parseCall('1.5 pwrite64(3<\\x2f\\x61>, "\\x68\\x69", 2, 4096) = 2 <0.25>')).toMatchObject({
    name: 'pwrite64',
    startedAt: 1.5,
    endedAt: 1.75,
    path: '/a',
    data: Buffer.from('hi'),
    fileOffset: 4096,
  });
  const vector = '[{iov_base="\\x68", iov_len=1}, {iov_base="\\x69", iov_len=1}], 2, 7)';
  expect(parseCall(`1.5 pwritev(3<\\x2f\\x61>, ${vector} = 2 <0.1>`)).toMatchObject({
    data: Buffer.from('hi'),
    fileOffset: 7,
  });
  expect(parseCall('1.5 fsync(3<\\x2f\\x61>) = -1 EIO (Input/output error) <0.1>')).toBeNull();
  expect(parseCall('1.5 ftruncate(3<\\x2f\\x61>, 9) = 0 <0.1>')).toMatchObject({ name: 'ftruncate', fileOffset: 9 });
  expect(parseCall('1.5 fsync(3<\\x2f\\x61>) = 0 <0.1>')).toMatchObject({ name: 'fsync', path: '/a' });
});
