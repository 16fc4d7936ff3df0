import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger, type Logger } from './logger.ts';

function linesOf(work: (logger: Logger) => void): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'fieldline-logger-'));
  const descriptor = openSync(join(dir, 'log'), 'w');
  work(createLogger('server', 'info', descriptor));
  closeSync(descriptor);
  const text = readFileSync(join(dir, 'log'), 'utf8');
  rmSync(dir, { recursive: true });
  return text.trim().split('\n');
}

test('a line of a child names its own service, once', () => {
  const [line] = linesOf((logger) =>
    logger.child({ service: 'api' }).child({ part: 'live' }).info({ count: 1 }, 'said'),
  );
  expect(JSON.parse(line!)).toMatchObject({ level: 'info', service: 'api', part: 'live', count: 1, msg: 'said' });
  expect(line!.match(/"service"/g)).toHaveLength(1);
});

test('secrets are redacted by key, errors are told with their message', () => {
  const [first, second] = linesOf((logger) => {
    logger.child({}).warn({ token: 'abc', device: { password: 'def' } }, 'x');
    logger.error({ err: new Error('broken') }, 'y');
  });
  expect(first).not.toMatch(/abc|def/);
  expect(JSON.parse(second!).err.message).toBe('broken');
});
