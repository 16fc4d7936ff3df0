/**
 * The hash of all that the built UI is made of: its own sources without tests, and the contract's. Written to
 * dist/.source-hash after each build, so that anybody can tell whether dist is what the sources say.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

const UI = import.meta.dirname;
const CONTRACT = join(UI, '..', 'contract', 'src');
const SINGLE_FILES = ['index.html', 'vite.config.ts', 'build-hash.ts', 'package.json'];
export const SOURCE_HASH_FILE = join(UI, 'dist', '.source-hash');

/** SHA-256 in hex over names and bytes, in the order of names. */
export async function sourceHash(): Promise<string> {
  const trees = await Promise.all([join(UI, 'src'), join(UI, 'public'), CONTRACT].map(filesUnder));
  const files = [...SINGLE_FILES.map((name) => join(UI, name)), ...trees.flat()].sort();
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${relative(UI, file).replaceAll('\\', '/')}\n`);
    hash.update(await readFile(file));
  }
  return hash.digest('hex');
}

/** Writes the present hash beside the built files. */
export async function recordSourceHash(): Promise<void> {
  await mkdir(join(UI, 'dist'), { recursive: true });
  await writeFile(SOURCE_HASH_FILE, `${await sourceHash()}\n`);
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
