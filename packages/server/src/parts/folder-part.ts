/** The part `data folder`: locked, whole, and with a catalog in it before log and store begin theirs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDataFolder } from '../data-folder.ts';
import type { Installation } from '../installation.ts';
import { refuseHalfFolder } from '../whole-folder.ts';

export async function startFolder(of: Installation): Promise<void> {
  const { dataDir, catalog } = of.config;
  of.dataFolder = openDataFolder(dataDir);
  refuseHalfFolder(of.config);
  const folder = join(dataDir, 'catalog');
  if (catalog.adapter !== 'pglite' || existsSync(folder)) return;
  // Telemetry without a catalog would be refused at the next start, so the catalog's folder comes first, whole or not at all.
  const { preparePgliteFolder } = await import('@fieldline/catalog/thread');
  await preparePgliteFolder(folder);
}

export async function stopFolder(of: Installation): Promise<void> {
  of.dataFolder?.release();
}
