/** The key that encrypts secrets at rest: from the configuration, or a file in the data folder that is made at the first start. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FieldlineError } from '@fieldline/kit';
import type { Config } from './config/schema.ts';
import { writeDurably } from './write-durably.ts';

const KEY_BYTES = 32;
const KEY_FILE = 'secret.key';

/** The key, 32 bytes. Throws CONFIG_INVALID where what is set or stored is not one, or none is there. */
export function secretKey({ catalog, dataDir }: Pick<Config, 'catalog' | 'dataDir'>): Buffer {
  if (catalog.secretKey !== '') return decode(catalog.secretKey, 'catalog.secretKey');
  const file = join(dataDir, KEY_FILE);
  return decode(existsSync(file) ? readFileSync(file, 'utf8') : '', file);
}

export function hasSecretKeyFile(dataDir: string): boolean {
  return existsSync(join(dataDir, KEY_FILE));
}

/** Makes the file. Only before there is a catalog: what another key has encrypted could not be read any more. */
export function makeSecretKey(dataDir: string): void {
  writeDurably(join(dataDir, KEY_FILE), randomBytes(KEY_BYTES).toString('base64'), 0o600);
}

function decode(text: string, where: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new FieldlineError(
    'CONFIG_INVALID',
    `${where}: got ${key.length} bytes; it takes ${KEY_BYTES} as base64, e.g. from \`openssl rand -base64 32\``,
  );
}
