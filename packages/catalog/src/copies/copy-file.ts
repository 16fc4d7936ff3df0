/**
 * A copy of what is configured in a catalog, as a file of its own: whole or not there at all, and checked before it is believed.
 *
 *   <folder>/<time of the copy>.copy     a line of JSON that says what it is, "<table> <row as JSON>" a line, and last
 *                                        "<CRC-32 of the lines before> end"
 */
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FieldlineError, messageOf, replaceFile, syncParentDirectory } from '@fieldline/kit';

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
/** The newest ones that are kept, and the newest of each of so many hours and days (as long as that is in their ISO 8601 time). */
const NEWEST_KEPT = 3;
const SPANS_KEPT = [
  { timeLength: '2026-01-01T00'.length, count: 24 },
  { timeLength: '2026-01-01'.length, count: 7 },
] as const;
/** Organisations are the first rows of a copy. */
const ORGANIZATIONS_BYTES_MAX = 256 * 1024;

/** Where the copies of the catalog in this folder are: beside it. */
export function copiesOf(catalogFolder: string): string {
  return `${catalogFolder}.copies`;
}

/**
 * Writes it durably, then deletes copies beyond the number that is kept; but none that holds other organisations only: that is
 * a copy of another catalog, and this one may be new because that one could not be seen.
 */
export async function writeCopy(folder: string, copy: CatalogCopy): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Also where it was there: who made it may have been cut off before this.
  await syncParentDirectory(folder);
  const { takenAt, schemaVersion, rows } = copy;
  const head = { format: FORMAT, takenAt, schemaVersion, rows: rows.length };
  const lines = Buffer.from(`${[JSON.stringify(head), ...rows].join('\n')}\n`);
  const path = join(folder, `${takenAt.replaceAll(':', '-')}${SUFFIX}`);
  await replaceFile(path, [lines, Buffer.from(`${endOf(lines)}\n`)]);
  await deleteOld(folder, organizationsIn(rows));
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

async function deleteOld(folder: string, organizations: ReadonlySet<string>): Promise<void> {
  const copies = await listCopies(folder);
  const kept = new Set(copies.slice(0, NEWEST_KEPT));
  for (const { timeLength, count } of SPANS_KEPT) {
    const spans = new Map<string, CopyFile>();
    for (const copy of copies) {
      const span = copy.takenAt.slice(0, timeLength);
      if (!spans.has(span) && spans.size < count) spans.set(span, copy);
    }
    for (const copy of spans.values()) kept.add(copy);
  }
  for (const copy of copies) {
    if (!kept.has(copy) && (await isOfSame(copy.path, organizations))) await rm(copy.path);
  }
}

/** Only its beginning is read: this says what may be deleted, not what is true. */
async function isOfSame(path: string, organizations: ReadonlySet<string>): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(ORGANIZATIONS_BYTES_MAX),
      0,
      ORGANIZATIONS_BYTES_MAX,
      0,
    );
    const found = organizationsIn(buffer.toString('utf8', 0, bytesRead).split('\n'));
    return found.size === 0 ? organizations.size === 0 : [...found].some((id) => organizations.has(id));
  } finally {
    await handle.close();
  }
}

function organizationsIn(rows: readonly string[]): Set<string> {
  const ids = rows.flatMap((row) => /^organizations .*?"id": ?"([^"]+)"/.exec(row)?.[1] ?? []);
  return new Set(ids);
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
