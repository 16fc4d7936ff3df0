/**
 * A copy of what is configured in a catalog, as a file of its own: whole or not there at all, and checked before it is believed.
 *
 *   <folder>/<time of the copy>.copy     a line of JSON that says what it is, "<table> <row as JSON>" a line, and last
 *                                        "<CRC-32 of the lines before> end"
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FieldlineError, messageOf, openDiskFile, syncDirectory } from '@fieldline/kit';

/** What is written down of a catalog. */
export interface CatalogCopy {
  /** ISO 8601, UTC. */
  readonly takenAt: string;
  /** Of the migrations; a copy is read into the schema that it was made from. */
  readonly schemaVersion: number;
  /** Lines "<table> <row as JSON>", the tables in an order in which they can be filled. */
  readonly rows: readonly string[];
}

export interface CopyFile {
  readonly path: string;
  readonly takenAt: string;
}

const FORMAT = 1;
const SUFFIX = '.copy';
/** The newest ones that are kept, and the newest of each of so many days. */
const NEWEST_KEPT = 3;
const DAYS_KEPT = 7;

/** Where the copies of the catalog in this folder are: beside it. */
export function copiesOf(catalogFolder: string): string {
  return `${catalogFolder}.copies`;
}

/** Writes it durably, then deletes copies beyond the number that is kept. */
export async function writeCopy(folder: string, copy: CatalogCopy): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { takenAt, schemaVersion, rows } = copy;
  const head = { format: FORMAT, takenAt, schemaVersion, rows: rows.length };
  const lines = Buffer.from(`${[JSON.stringify(head), ...rows].join('\n')}\n`);
  const path = join(folder, `${takenAt.replaceAll(':', '-')}${SUFFIX}`);
  const file = await openDiskFile(`${path}.new`, 'new');
  try {
    await file.write([lines, Buffer.from(`${endOf(lines)}\n`)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(folder);
  await deleteOld(folder);
}

/** Newest first; none where the folder is not there. */
export async function listCopies(folder: string): Promise<CopyFile[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .sort((a, b) => (a < b ? 1 : -1))
    .map((name) => ({ path: join(folder, name), takenAt: timeOf(name) }));
}

/** Reads and checks it. Throws CATALOG_DAMAGED where it is not what was written, FORMAT_TOO_NEW where a newer version wrote it. */
export async function readCopy(path: string): Promise<CatalogCopy> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw damaged(path, messageOf(error));
  });
  const end = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  if (bytes.subarray(end).toString('latin1') !== `${endOf(bytes.subarray(0, end))}\n`) {
    throw damaged(path, 'its checksum is not that of what it holds');
  }
  const [head, ...rows] = bytes
    .subarray(0, end - 1)
    .toString('utf8')
    .split('\n');
  const { format, takenAt, schemaVersion } = JSON.parse(head!) as { format: number } & CatalogCopy;
  if (format > FORMAT) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `${path} has format ${format}; restore it with the version that wrote it`,
    );
  }
  return { takenAt, schemaVersion, rows };
}

async function deleteOld(folder: string): Promise<void> {
  const copies = await listCopies(folder);
  const days = new Set<string>();
  for (const [index, { path, takenAt }] of copies.entries()) {
    const day = takenAt.slice(0, 10);
    const isNewestOfDay = !days.has(day) && days.size < DAYS_KEPT;
    days.add(day);
    if (index >= NEWEST_KEPT && !isNewestOfDay) await rm(path);
  }
}

/** 2026-11-21T15-40-00.000Z.copy → 2026-11-21T15:40:00.000Z */
function timeOf(name: string): string {
  const [date, time] = name.slice(0, -SUFFIX.length).split('T');
  return `${date}T${time?.replaceAll('-', ':') ?? ''}`;
}

function endOf(lines: Uint8Array): string {
  return `${crc32(lines).toString(16).padStart(8, '0')} end`;
}

function damaged(path: string, why: string): FieldlineError {
  return new FieldlineError('CATALOG_DAMAGED', `${path} cannot be used (${why}); take an older copy or a backup`);
}
