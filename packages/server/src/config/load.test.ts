import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from './load.ts';
import { settings } from './schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'fieldline-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

function file(text: string): string {
  const path = join(dir, `${Math.random()}.yaml`);
  writeFileSync(path, text);
  return path;
}

test('defaults are whole and valid', () => {
  const { config, origins } = loadConfig({ environment: {} });
  expect(config.broker.port).toBe(1883);
  expect(config.api.port).toBe(3000);
  expect(origins.get('broker.port')).toBe('default');
});

test('the names that others rely on', () => {
  const names = settings().map((setting) => setting.environmentVariable);
  for (const name of [
    'DATA_DIR',
    'API_HOST',
    'API_PORT',
    'BROKER_HOST',
    'BROKER_PORT',
    'BROKER_TLS_PORT',
    'ADMIN_EMAIL',
    'ADMIN_PASSWORD',
    'ROLES',
  ]) {
    expect(names).toContain(`FIELDLINE_${name}`);
  }
});

test('file, then environment, then command line', () => {
  const path = file('broker:\n  port: 1\n  host: 1.2.3.4\napi:\n  port: 2\n');
  const { config, origins } = loadConfig({
    file: path,
    environment: { FIELDLINE_BROKER_PORT: '3', FIELDLINE_API_PORT: '4' },
    overrides: { 'api.port': 5 },
  });
  expect([config.broker.host, config.broker.port, config.api.port]).toEqual(['1.2.3.4', 3, 5]);
  expect([origins.get('broker.host'), origins.get('broker.port'), origins.get('api.port')]).toEqual([
    path,
    'FIELDLINE_BROKER_PORT',
    'command line',
  ]);
});

test('a section of which every line is commented out says nothing', () => {
  const { config } = loadConfig({ file: file('broker:\n  # port: 1\napi:\n  port: 2\n'), environment: {} });
  expect([config.broker.port, config.api.port]).toEqual([1883, 2]);
});

test.each([
  ['unknown key', 'brokr:\n  port: 1\n', {}, 'there is no setting brokr.port; did you mean broker.port?'],
  [
    'wrong type',
    'broker:\n  port: abc\n',
    {},
    'broker.port (from FILE): got "abc"; it takes a whole number from 0 to 65535',
  ],
  ['out of range', '', { FIELDLINE_API_PORT: '70000' }, 'api.port (from FIELDLINE_API_PORT): got 70000'],
  ['unknown variable', '', { FIELDLINE_BROKR_PORT: '1' }, 'FIELDLINE_BROKR_PORT: there is no such setting'],
  ['a prototype', '__proto__:\n  port: 1\n', {}, 'FILE: there is no setting __proto__.port'],
  ['a prototype of a section', 'broker:\n  __proto__:\n    port: 1\n', {}, 'there is no setting broker.__proto__.port'],
  ['a prototype without settings', '__proto__: {}\n', {}, 'FILE: there is no setting __proto__'],
  ['a constructor', 'constructor:\n  prototype:\n    port: 1\n', {}, 'no setting constructor.prototype.port'],
  ['a variable named like one', '', { FIELDLINE___PROTO___PORT: '1' }, 'FIELDLINE___PROTO___PORT: there is no such'],
  ['no YAML', 'a: [', {}, 'cannot be read as YAML'],
  ['a text', 'hello', {}, 'FILE: got a text; it takes sections such as "broker:"'],
  ['a list', '- broker', {}, 'FILE: got a list'],
  ['a value for a section', 'broker: 5', {}, 'FILE: broker is a section; its settings stand below it, indented'],
  ['split roles on embedded parts', 'roles: [api]\n', {}, 'belong to one process'],
  ['half a certificate', 'broker:\n  tls:\n    certFile: a.pem\n', {}, 'certFile and keyFile go together'],
  ['no such file', null, {}, 'ENOENT'],
])('%s is refused with a sentence', (_, text, environment, sentence) => {
  const path = text === null ? join(dir, 'missing.yaml') : file(text);
  expect(() => loadConfig({ file: path, environment })).toThrow(sentence.replace('FILE', path));
});
