/**
 * A database that was not closed cleanly is flushed whole before its recovery begins: PostgreSQL does that file by file (two
 * thousand calls, each of which waits for the disk), here many wait together. Changes nothing.
 */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const AT_ONCE = 16;
/** In pg_control: the state of the database, and the value of one that was closed cleanly (catalog/pg_control.h, DBState). */
const STATE_AT = 16;
const SHUT_DOWN = 1;

/** Returns the files and folders that are flushed now; none where the database is new or was closed cleanly. */
export async function flushAfterCrash(folder: string): Promise<Set<string>> {
  const control = await readFile(join(folder, 'global', 'pg_control')).catch(() => null);
  if (control === null || control.length < 64 || control.readUInt32LE(STATE_AT) === SHUT_DOWN) return new Set();
  return flushFolder(folder);
}

/** Flushes the folder and all that is in it; returns the paths. */
export async function flushFolder(folder: string): Promise<Set<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = [folder, ...entries.map((entry) => join(entry.parentPath, entry.name))];
  let next = 0;
  const flushOn = async (): Promise<void> => {
    while (next < paths.length) await flush(paths[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, flushOn));
  return new Set(paths);
}

/** Flushes one file or folder. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
