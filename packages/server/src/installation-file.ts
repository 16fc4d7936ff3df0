/**
 * Which installation a data folder is that of, and which parts it has had: `installation.json`, made at the first start. The
 * folder of each part carries the same id (`<part>/installation`), so that one of another installation is known. Everything here
 * is flushed before it returns; a file is whole or not there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FieldlineError } from '@fieldline/kit';
import { newId } from '@fieldline/model';
import { hasSecretKeyFile } from './secret-key.ts';
import { writeDurably } from './write-durably.ts';

/** Parts that have a folder of their own, which may be a volume of its own. */
export const FOLDER_PARTS = ['catalog', 'log', 'store', 'broker'] as const;
export type FolderPart = (typeof FOLDER_PARTS)[number];
/** `key`: the file secret.key. */
export type KeptPart = FolderPart | 'key';

export interface InstallationRecord {
  readonly id: string;
  /** Parts that were there at some time: one that is not any more has got lost. */
  readonly parts: readonly KeptPart[];
}

export const INSTALLATION_FILE = 'installation.json';
/** In the folder of a part. */
export const MARK_FILE = 'installation';
const FORMAT = 1;
const MODE = 0o640;
const ID_LENGTH = 36;

interface StoredRecord {
  readonly format: number;
  readonly installationId: string;
  readonly parts: readonly KeptPart[];
  /** CRC-32 of the rest: a changed bit must not look like another installation. */
  readonly checksum: string;
}

/** null where there is none (a folder from before, or a new one). Throws FORMAT_TOO_NEW where a newer version wrote it. */
export function readInstallation(dataDir: string): InstallationRecord | 'damaged' | null {
  const file = join(dataDir, INSTALLATION_FILE);
  if (!existsSync(file)) return null;
  const stored = parse(readFileSync(file, 'utf8'));
  if (stored === null) return 'damaged';
  if (stored.format > FORMAT) {
    const sentence = `${file} has format ${stored.format}, this program knows up to ${FORMAT}; start the newer version`;
    throw new FieldlineError('FORMAT_TOO_NEW', sentence);
  }
  return { id: stored.installationId, parts: stored.parts };
}

/** The installation that this part says it belongs to; null where it does not say. */
export function markOf(dataDir: string, part: FolderPart): string | null {
  const file = join(dataDir, part, MARK_FILE);
  if (!existsSync(file)) return null;
  const text = readFileSync(file, 'latin1');
  const id = text.slice(0, ID_LENGTH);
  return text === markText(id) ? id : null;
}

export function hasMarkFile(dataDir: string, part: FolderPart): boolean {
  return existsSync(join(dataDir, part, MARK_FILE));
}

/** True where the part holds anything of its own. */
export function isThere(dataDir: string, part: KeptPart): boolean {
  const has = (name: string): boolean => existsSync(join(dataDir, part, name));
  switch (part) {
    case 'catalog':
      // One that holds files and no PG_VERSION is damaged, not missing.
      return has('PG_VERSION') || holdsFiles(join(dataDir, part));
    case 'log':
      return has('format') || has('groups') || holdsFile(join(dataDir, part), /\.seg$/);
    case 'store':
      return has('store.duckdb') || holdsFile(join(dataDir, part, 'sealed'), /(?<!series)\.parquet$/);
    case 'broker':
      return holdsFiles(join(dataDir, part));
    case 'key':
      return hasSecretKeyFile(dataDir);
  }
}

/** Parts that are there now. */
export function partsThere(dataDir: string): KeptPart[] {
  return [...FOLDER_PARTS, 'key' as const].filter((part) => isThere(dataDir, part));
}

/** The id that the folder has, by its file or by what its parts say; a new one where nothing says. */
export function installationId(dataDir: string): string {
  const record = readInstallation(dataDir);
  if (record !== null && record !== 'damaged') return record.id;
  for (const part of FOLDER_PARTS) {
    const mark = markOf(dataDir, part);
    if (mark !== null) return mark;
  }
  return newId(Date.now());
}

/** Writes down what is not written yet: the file, and the id in each part that is there. Parts that the folder had stay noted. */
export function noteParts(dataDir: string, forget: readonly KeptPart[] = []): void {
  const record = readInstallation(dataDir);
  const id = installationId(dataDir);
  const had = record === null || record === 'damaged' ? [] : record.parts;
  const there = partsThere(dataDir);
  const parts = [...new Set([...had.filter((part) => !forget.includes(part)), ...there])].sort();
  // A mark flushes the names in its part's folder: the file tells of no part that a power cut could take away again.
  for (const part of FOLDER_PARTS) {
    if (there.includes(part) && markOf(dataDir, part) === null) {
      writeDurably(join(dataDir, part, MARK_FILE), markText(id), MODE);
    }
  }
  const text = textOf({ id, parts });
  const file = join(dataDir, INSTALLATION_FILE);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeDurably(file, text, MODE);
}

function parse(text: string): StoredRecord | null {
  try {
    const stored = JSON.parse(text) as StoredRecord;
    return stored.format > FORMAT || text === textOf({ id: stored.installationId, parts: stored.parts })
      ? stored
      : null;
  } catch {
    // Not JSON: as good as none, the parts say the same.
    return null;
  }
}

function textOf({ id, parts }: InstallationRecord): string {
  const record = { format: FORMAT, installationId: id, parts };
  return `${JSON.stringify({ ...record, checksum: checksumOf(JSON.stringify(record)) } satisfies StoredRecord)}\n`;
}

function markText(id: string): string {
  return `${id} ${checksumOf(id)}\n`;
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** A volume of its own has `lost+found`; hidden files are no data either. */
function holdsFiles(folder: string): boolean {
  return namesIn(folder).some((name) => name !== 'lost+found' && !name.startsWith(MARK_FILE) && !name.startsWith('.'));
}

function holdsFile(folder: string, pattern: RegExp): boolean {
  return existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => pattern.test(String(name)));
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
