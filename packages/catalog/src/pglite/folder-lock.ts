/**
 * Keeps a second process (and a second opening in this one) off a database folder: PGlite does not. A file beside the folder
 * holds the process id; one whose process is gone is taken over. The server's lock on the data folder comes first: this one
 * guards who opens the catalog without it.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { FieldlineError } from '@fieldline/kit';

const ours = new Set<string>();

/** Takes the lock and returns what gives it back. DATA_DIR_LOCKED where somebody has it. */
export function lockFolder(folder: string): () => void {
  const file = `${resolve(folder)}.lock`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (tryWrite(file)) {
      ours.add(file);
      return () => {
        ours.delete(file);
        rmSync(file, { force: true });
      };
    }
    const holder = readHolder(file);
    if (holder !== null && (holder === process.pid ? ours.has(file) : isAlive(holder))) {
      throw new FieldlineError(
        'DATA_DIR_LOCKED',
        `catalog: ${folder} is in use by process ${holder}; stop it, or remove ${file} if that process is none of Fieldline's`,
      );
    }
    rmSync(file, { force: true });
  }
  throw new FieldlineError('DATA_DIR_LOCKED', `catalog: others keep taking the lock ${file}; start one process only`);
}

function tryWrite(file: string): boolean {
  try {
    const descriptor = openSync(file, 'wx', 0o640);
    writeSync(descriptor, String(process.pid));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file: string): number | null {
  try {
    const holder = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(holder) && holder > 0 ? holder : null;
  } catch {
    // Given back between our attempt and this look.
    return null;
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
