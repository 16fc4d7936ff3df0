/** The part `data folder`: locked, whole, known by its file, and with a key and a catalog in it before log and store begin theirs. */
import { join } from 'node:path';
import { openDataFolder } from '../data-folder.ts';
import type { Installation } from '../installation.ts';
import { isThere, noteParts } from '../installation-file.ts';
import { makeSecretKey } from '../secret-key.ts';
import { refuseHalfFolder } from '../whole-folder.ts';

export async function startFolder(of: Installation): Promise<void> {
  const { dataDir, catalog } = of.config;
  of.dataFolder = openDataFolder(dataDir);
  await refuseHalfFolder(of.config);
  noteParts(dataDir);
  if (catalog.secretKey === '' && !isThere(dataDir, 'key')) makeSecretKey(dataDir);
  if (catalog.adapter !== 'pglite' || isThere(dataDir, 'catalog')) return;
  // Telemetry without a catalog would be refused at the next start, so the catalog's folder comes first, whole or not at all.
  const { preparePgliteFolder } = await import('@fieldline/catalog/thread');
  await preparePgliteFolder(join(dataDir, 'catalog'));
}

export async function stopFolder(of: Installation): Promise<void> {
  of.dataFolder?.release();
}
