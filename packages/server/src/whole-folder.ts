/** What stands in the data folder belongs together. In: the configuration; out: nothing, or a sentence why it must not be used. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FieldlineError } from '@fieldline/kit';
import type { Config } from './config/schema.ts';

/**
 * Throws CONFIG_INVALID where telemetry is there and the catalog that says whose it is has gone: a new catalog would give the
 * numbers of its series to other devices.
 */
export function refuseHalfFolder({ dataDir, catalog }: Config): void {
  if (catalog.adapter !== 'pglite' || existsSync(join(dataDir, 'catalog'))) return;
  const left = ['store', 'log'].filter((name) => existsSync(join(dataDir, name)));
  if (left.length === 0) return;
  throw new FieldlineError(
    'CONFIG_INVALID',
    `${dataDir} holds ${left.join(' and ')} but no catalog, which says whose telemetry that is; \`fieldline doctor --repair\` restores it where there is a copy (catalog.copies), else take the backup of the whole folder, or choose an empty one`,
  );
}
