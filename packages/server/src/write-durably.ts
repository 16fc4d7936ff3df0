/** A small file that is whole or not there at all, and on disk when it returns. For what is written once, at a start. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectorySync } from '@fieldline/kit';

export function writeDurably(file: string, text: string, mode: number): void {
  const unfinished = `${file}.new`;
  // Left by a process that was killed, it would keep its own mode.
  rmSync(unfinished, { force: true });
  const descriptor = openSync(unfinished, 'wx', mode);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, file);
  syncDirectorySync(dirname(file));
}
