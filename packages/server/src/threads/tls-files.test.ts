/** Changed certificates are seen, once; a file that cannot be read is named with its setting. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TlsFiles } from './tls-files.ts';

let dir = '';
const path = (name: string): string => join(dir, name);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fieldline-tls-'));
  for (const name of ['cert', 'key', 'ca']) writeFileSync(path(name), `${name} 1`);
});

afterEach(() => rmSync(dir, { recursive: true }));

const text = (value: unknown): string => String(value);

test('each change of a file is told once, also by renaming', () => {
  const files = new TlsFiles({ certFile: path('cert'), keyFile: path('key'), caFile: path('ca') });
  expect(files.changed()).toBeNull();
  writeFileSync(path('next'), 'cert 2');
  renameSync(path('next'), path('cert'));
  expect(text(files.changed()?.cert)).toBe('cert 2');
  expect(files.changed()).toBeNull();
  writeFileSync(path('ca'), 'ca 2');
  expect(text(files.changed()?.ca)).toBe('ca 2');
  expect(text(files.material.key)).toBe('key 1');
});

test('without authorities there are none', () => {
  expect(new TlsFiles({ certFile: path('cert'), keyFile: path('key'), caFile: '' }).material.ca).toBeUndefined();
});

test('a file that is not there', () => {
  const files = new TlsFiles({ certFile: path('cert'), keyFile: path('key'), caFile: '' });
  rmSync(path('key'));
  expect(() => files.changed()).toThrow(/broker\.tls\.keyFile: .*name a readable PEM file/);
});
