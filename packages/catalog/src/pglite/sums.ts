/**
 * Checksums of all files of a database folder, written beside it when it was closed cleanly and taken away before it is opened
 * again. PostgreSQL's own checksums cover the pages of tables and indexes, not their number, and not the other files.
 *
 *   <folder>.sums   "<CRC-32> <bytes> <path>" a line, and last "<CRC-32 of the lines before> end"
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { crc32 } from 'node:zlib';
import { replaceFile, syncParentDirectory } from '@fieldline/kit';
import { flush } from './flush-after-crash.ts';
import { MARK_FILE } from './flush-mark.ts';

export interface ChangedFile {
  /** Within the folder; '' = the list itself. */
  readonly path: string;
  readonly meaning: string;
  /** It has its length and is made of pages, each of which PostgreSQL checks when it reads it. */
  readonly isChecked: boolean;
}

/** Files that consist of pages with checksums: tables, indexes and their maps. */
export const PAGED_FILE = /^(base\/\d+|global)\/\d+(_(fsm|vm|init))?(\.\d+)?$/;

/** Written by the server beside the database's files: which installation the folder belongs to. */
const OWNER_FILE = 'installation';
const FILES_AT_ONCE = 16;

/**
 * To be called when nobody has the folder open any more. Files that a checkpoint does not flush are flushed first, so that a
 * power cut cannot leave the list without what it lists.
 */
export async function writeSums(folder: string): Promise<void> {
  for (const path of await filesIn(folder)) if (!PAGED_FILE.test(path)) await flush(join(folder, path));
  const lines = (await sumsOf(folder)).map(([path, sum]) => `${sum} ${path}\n`).join('');
  const path = pathOf(folder);
  await replaceFile(path, [Buffer.from(`${lines}${hex(crc32(lines))} end\n`)]);
}

/** What is another than when it was closed; null where that is not known, since it was not closed cleanly. */
export async function compareSums(folder: string): Promise<ChangedFile[] | null> {
  const text = await readFile(pathOf(folder), 'latin1').catch(() => null);
  if (text === null) return null;
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  const lines = text.slice(0, end);
  if (text.slice(end) !== `${hex(crc32(lines))} end\n`) {
    return [{ path: '', meaning: 'the list of checksums itself is damaged', isChecked: true }];
  }
  const now = new Map(await sumsOf(folder));
  const changed: ChangedFile[] = [];
  for (const line of lines.split('\n').slice(0, -1)) {
    const [sum, byteLength, ...rest] = line.split(' ');
    const path = rest.join(' ');
    const found = now.get(path);
    now.delete(path);
    if (found === `${sum} ${byteLength}`) continue;
    const [, foundBytes] = found?.split(' ') ?? [];
    const meaning =
      found === undefined
        ? 'it is missing'
        : foundBytes === byteLength
          ? 'it has changed since the database was closed'
          : `it has ${foundBytes} bytes instead of ${byteLength}`;
    changed.push({ path, meaning, isChecked: foundBytes === byteLength && PAGED_FILE.test(path) });
  }
  return changed;
}

/** To be called before the folder is opened; durable. */
export async function dropSums(folder: string): Promise<void> {
  const path = pathOf(folder);
  if ((await stat(path).catch(() => null)) === null) return;
  await rm(path);
  await syncParentDirectory(path);
}

async function sumsOf(folder: string): Promise<[path: string, sum: string][]> {
  const paths = await filesIn(folder);
  const sums: [string, string][] = [];
  for (let from = 0; from < paths.length; from += FILES_AT_ONCE) {
    const group = paths.slice(from, from + FILES_AT_ONCE).map(async (path): Promise<[string, string]> => {
      const bytes = await readFile(join(folder, path));
      return [path, `${hex(crc32(bytes))} ${bytes.length}`];
    });
    sums.push(...(await Promise.all(group)));
  }
  return sums.sort(([a], [b]) => (a < b ? -1 : 1));
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  // They have checksums of their own, and no other file hangs on them.
  return paths.filter((path) => path !== MARK_FILE && path !== OWNER_FILE);
}

function pathOf(folder: string): string {
  return `${folder}.sums`;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
