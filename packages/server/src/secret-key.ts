/** The key that encrypts secrets at rest: from the configuration, or a file in the data folder that is made at the first start. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FieldlineError, syncDirectorySync } from '@fieldline/kit';
import type { Config } from './config/schema.ts';

const KEY_BYTES = 32;
const KEY_FILE = 'secret.key';

/** The key, 32 bytes. Throws CONFIG_INVALID where what is set or stored is not one. */
export function secretKey({ catalog, dataDir }: Config): Buffer {
  if (catalog.secretKey !== '') return decode(catalog.secretKey, 'catalog.secretKey');
  const file = join(dataDir, KEY_FILE);
  if (existsSync(file)) return decode(readFileSync(file, 'utf8'), file);
  const key = randomBytes(KEY_BYTES);
  const descriptor = openSync(file, 'wx', 0o600);
  writeSync(descriptor, key.toString('base64'));
  fsyncSync(descriptor);
  closeSync(descriptor);
  // Without it nothing that was encrypted could be read again.
  syncDirectorySync(dataDir);
  return key;
}

function decode(text: string, where: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new FieldlineError(
    'CONFIG_INVALID',
    `${where}: got ${key.length} bytes; it takes ${KEY_BYTES} as base64, e.g. from \`openssl rand -base64 32\``,
  );
}
