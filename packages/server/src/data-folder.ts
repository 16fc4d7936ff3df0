/**
 * The data folder: made where it is missing, locked while a process uses it. The lock is a file with the process id and
 * the time at which that process started; one whose process is gone (kill -9, power cut) is taken over.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { FieldlineError, makeDirectorySync, messageOf } from '@fieldline/kit';

const LOCK_FILE = 'fieldline.lock';
/** How long a new lock must stand before it counts: longer than another one needs from looking at a lock to taking it away. */
const SETTLE_MS = 30;

export interface DataFolder {
  readonly path: string;
  /** Removes the lock; the last thing that is done. */
  release(): void;
}

/** Nothing for others than the owner and its group: the files inside hold hashes of passwords, whatever their own modes. */
const MODE_MOST = 0o750;

/** Makes, closes to others, and locks the folder. Throws DATA_DIR_LOCKED where a living process has it, CONFIG_INVALID where it cannot be used. */
export function openDataFolder(path: string): DataFolder {
  try {
    makeDirectorySync(path, MODE_MOST);
    closeToOthers(path);
  } catch (error) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `dataDir ${path}: ${messageOf(error)}; choose a folder that can be written`,
    );
  }
  return lockDataFolder(path);
}

/** Locks a folder that is there, and changes nothing else of it. Throws as openDataFolder() does. */
export function lockDataFolder(path: string): DataFolder {
  const file = join(path, LOCK_FILE);
  for (let attempt = 0; attempt < 5; attempt++) {
    if (tryLock(file)) return { path, release: () => rmSync(file, { force: true }) };
    const found = readText(file);
    const holder = holderOf(found);
    if (holder !== null && isAlive(holder)) {
      throw new FieldlineError(
        'DATA_DIR_LOCKED',
        `${path} is in use by process ${holder.pid}; stop it, or give this one another folder (FIELDLINE_DATA_DIR)`,
      );
    }
    takeAway(file, found);
  }
  throw new FieldlineError('DATA_DIR_LOCKED', `${path}: others keep taking the lock ${file}; start one process only`);
}

/** A folder that was there before may be open to all. Where it belongs to somebody else, that one has decided. */
function closeToOthers(path: string): void {
  const { mode, uid } = statSync(path);
  if (uid === process.getuid?.()) chmodSync(path, mode & MODE_MOST);
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

/** True where the lock is this process's own. Another that starts at the same moment may take it for a dead one, so it is looked at again. */
function tryLock(file: string): boolean {
  const own = JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) } satisfies Holder);
  try {
    const descriptor = openSync(file, 'wx', 0o640);
    writeSync(descriptor, own);
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new FieldlineError('CONFIG_INVALID', `dataDir: cannot write ${file}: ${messageOf(error)}`);
  }
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLE_MS);
  return readText(file) === own;
}

/** Removes the lock where it still is what was found in it; one that somebody has made in between is put back. */
function takeAway(file: string, found: string | null): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    // Gone already: another one took it away, or its holder has ended.
    return;
  }
  if (readText(aside) !== found && !existsSync(file)) renameSync(aside, file);
  else rmSync(aside, { force: true });
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Just removed.
    return null;
  }
}

/** null where nobody holds it: it was cut off by a crash while it was written, or is gone. */
function holderOf(text: string | null): Holder | null {
  try {
    const holder = JSON.parse(text ?? '') as Partial<Holder>;
    return Number.isInteger(holder.pid) ? { pid: holder.pid!, startedAt: holder.startedAt ?? '' } : null;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return holder.startedAt === startTimeOf(holder.pid);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // The same number may by now belong to another process.
  return holder.startedAt === '' || holder.startedAt === startTimeOf(holder.pid);
}

/** Clock ticks since boot at which a process started, with the boot's id (Linux); '' where that cannot be told. */
function startTimeOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`;
  } catch {
    // No /proc here: the process id alone must do.
    return '';
  }
}
