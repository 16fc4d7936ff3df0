/**
 * Makes a new database folder, as a program of its own: `node initialize.ts <folder>`. initdb needs much memory once, which a
 * long-lived process would keep. The folder is built beside its place, synced, and moved there in one step: it is whole or
 * not there at all.
 */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openEngine, syncPath } from './engine.ts';
import { flushFolder } from './flush-after-crash.ts';

async function initialize(folder: string): Promise<void> {
  removeLeftovers(folder);
  const building = `${folder}.new-${process.pid}`;
  const engine = await openEngine(building, { isBuilding: true });
  await engine.close();
  await flushFolder(building);
  renameSync(building, folder);
  syncPath(dirname(folder));
}

/** What an initialisation that was killed has left. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(dirname(folder))) {
    if (name.startsWith(`${basename(folder)}.new-`)) rmSync(join(dirname(folder), name), { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await initialize(process.argv[2]!);
