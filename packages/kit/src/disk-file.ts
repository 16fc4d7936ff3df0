/**
 * A file that is written durably: at given offsets, completely or with an error, and flushed when asked. The one place
 * that knows the pitfalls: writes may be short, a new name is durable only after its folder is flushed, errors are coded.
 * Code takes `openDiskFile` as a parameter where a test must make the disk fail.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type ErrorOptions, FieldlineError, messageOf } from './errors.ts';

export interface DiskFile {
  readonly path: string;
  /** Writes the buffers end to end from `fileOffset` on. Rejects with DISK_FULL where there is no room. */
  write(buffers: readonly Uint8Array[], fileOffset: number): Promise<void>;
  /** Flushes the content to the disk. After a failure nothing is known about what was written since the last success. */
  sync(): Promise<void>;
  truncate(byteLength: number): Promise<void>;
  byteLength(): Promise<number>;
  close(): Promise<void>;
}

export type OpenDiskFile = (path: string, mode: 'existing' | 'new') => Promise<DiskFile>;

/** Opens a file for writing; 'new' makes an empty one, whatever was there before. */
export const openDiskFile: OpenDiskFile = async (path, mode) =>
  new HandleFile(path, await open(path, mode === 'new' ? 'w+' : 'r+'));

/**
 * Puts a file in the place of another, or of none: whole, under its name and on the disk when it resolves; a crash before that
 * leaves the one that was there. What is written meanwhile is `{path}.new`.
 */
export async function replaceFile(path: string, buffers: readonly Uint8Array[]): Promise<void> {
  const file = await openDiskFile(`${path}.new`, 'new');
  try {
    await file.write(buffers, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncParentDirectory(path);
}

/** Flushes a folder, so that files that were made, renamed or removed in it stay so after a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a folder as a file; its file system writes names through by itself.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes the folder that holds this file. */
export function syncParentDirectory(path: string): Promise<void> {
  return syncDirectory(dirname(path));
}

/** The same at once, for what happens once at a start. */
export function syncDirectorySync(path: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a folder, and those above it that are missing, so that they are there after a power cut: what is flushed inside of a
 * folder is worth nothing while its own name is not. A folder that is there already gets its name flushed, since whoever made
 * it may have been cut off before that.
 */
export function makeDirectorySync(path: string, mode?: number): void {
  const whole = resolve(path);
  const topmost = mkdirSync(whole, { recursive: true, ...(mode !== undefined && { mode }) }) ?? whole;
  for (let made = whole; ; made = dirname(made)) {
    syncParentSync(made);
    if (made === topmost || made === dirname(made)) return;
  }
}

/** A folder above that may not be opened is not ours to flush: who made it has seen to it. */
function syncParentSync(path: string): void {
  try {
    syncDirectorySync(dirname(path));
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EINVAL'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

/** A failed disk operation as one of our errors: DISK_FULL where there is no room or quota, else UNAVAILABLE. */
export function diskError(what: string, path: string, error: unknown): FieldlineError {
  if (error instanceof FieldlineError) return error;
  const code = (error as { code?: string } | null)?.code;
  const options: ErrorOptions = { cause: error, details: { path, ...(code && { errno: code }) } };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FieldlineError(
      'DISK_FULL',
      `${what} ${path}: no space left on the device; make room and retry`,
      options,
    );
  }
  return new FieldlineError('UNAVAILABLE', `${what} ${path} failed: ${messageOf(error)}; check the disk`, options);
}

/** Buffers per system call: IOV_MAX is 1024 on Linux and macOS. */
const BUFFERS_PER_CALL_MAX = 1024;

class HandleFile implements DiskFile {
  readonly path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async write(buffers: readonly Uint8Array[], fileOffset: number): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0);
    let at = fileOffset;
    try {
      while (rest.length > 0) {
        const { bytesWritten } = await this.#handle.writev(rest.slice(0, BUFFERS_PER_CALL_MAX), at);
        at += bytesWritten;
        rest = after(rest, bytesWritten);
      }
    } catch (error) {
      throw diskError('writing to', this.path, error);
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw diskError('flushing', this.path, error);
    }
  }

  async truncate(byteLength: number): Promise<void> {
    await this.#handle.truncate(byteLength);
  }

  async byteLength(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function after(buffers: readonly Uint8Array[], byteCount: number): Uint8Array[] {
  let skip = byteCount;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      rest.push(skip === 0 ? buffer : buffer.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
