import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDataFolder } from './data-folder.ts';

const dir = mkdtempSync(join(tmpdir(), 'fieldline-data-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('a second opening is refused and names the process; after release it works', () => {
  const first = openDataFolder(join(dir, 'a'));
  expect(() => openDataFolder(join(dir, 'a'))).toThrow(`in use by process ${process.pid}`);
  first.release();
  openDataFolder(join(dir, 'a')).release();
});

test('the lock of a killed process is taken over, that of a living one is not', async () => {
  const module = new URL('./data-folder.ts', import.meta.url).href;
  const path = join(dir, 'b');
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { openDataFolder } = await import(${JSON.stringify(module)}); openDataFolder(${JSON.stringify(path)}); console.log('locked'); setInterval(() => {}, 1000);`,
  ]);
  await once(child.stdout, 'data');
  expect(() => openDataFolder(path)).toThrow(`in use by process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  openDataFolder(path).release();
});

test.each(['no lock', 'the lock of a dead process'])(
  'of many that start at once one gets the folder (%s)',
  async (before) => {
    const module = new URL('./data-folder.ts', import.meta.url).href;
    const path = join(dir, before);
    mkdirSync(path);
    if (before !== 'no lock') writeFileSync(join(path, 'fieldline.lock'), '{"pid":2147483647,"startedAt":"x"}');
    const code = `const { openDataFolder } = await import(${JSON.stringify(module)}); process.stdin.once('data', () => {
    try { openDataFolder(${JSON.stringify(path)}); console.log('locked'); } catch (error) { console.log(error.code); }
  }); console.log('ready');`;
    const children = Array.from({ length: 6 }, () => spawn(process.execPath, ['--input-type=module', '-e', code]));
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    for (const child of children) child.stdin.write('go');
    const answers = await Promise.all(
      children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
    );
    for (const child of children) child.kill('SIGKILL');
    expect(answers.sort()).toEqual([...Array(5).fill('DATA_DIR_LOCKED'), 'locked']);
  },
);

test('a lock that was cut off while it was written holds nobody up', () => {
  const path = join(dir, 'c');
  openDataFolder(path).release();
  writeFileSync(join(path, 'fieldline.lock'), '{"pid":');
  openDataFolder(path).release();
});

test.runIf(process.platform !== 'win32')('a folder that was open to all is closed to others', () => {
  const path = join(dir, 'open');
  mkdirSync(path);
  chmodSync(path, 0o777);
  openDataFolder(path).release();
  expect(statSync(path).mode & 0o777).toBe(0o750);
});

test('a folder that cannot be made is named', () => {
  writeFileSync(join(dir, 'file'), '');
  expect(() => openDataFolder(join(dir, 'file', 'x'))).toThrow('choose a folder that can be written');
});
