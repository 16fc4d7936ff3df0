/**
 * Looks at everything in a catalog folder that nobody has open, and changes nothing: the checksums of all files where it was
 * closed cleanly, those of all pages, the end of the write-ahead log, and (on a copy) every row, also through the indexes.
 */
import { cp, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Finding, type Inspection, messageOf } from '@fieldline/kit';
import { copiesOf, listCopies, readCopy } from '../copies/copy-file.ts';
import { newestCopy } from '../copies/restore-copy.ts';
import { MARK_FILE, readFlushMark } from './flush-mark.ts';
import { isPageSound, PAGE_BYTES } from './page-checksum.ts';
import type { EverythingRead, KnownSeries } from './read-everything.ts';
import { compareSums, PAGED_FILE } from './sums.ts';
import { inspectWriteAheadLog } from './write-ahead-log.ts';

const READ_TIMEOUT_MS = 600_000;
const SEGMENT_BLOCKS = 131_072;
const PAGES_AT_ONCE = 128;
/** Findings of one file that are told one by one. */
const PAGES_TOLD_MAX = 5;
const BACKUP = 'restore the catalog folder from a backup; the log does not hold what is in it';

export interface CatalogInspection extends Inspection {
  /** null where it was not read, or cannot be. */
  readonly known: KnownSeries | null;
}

/**
 * Inspects the folder of an embedded catalog; one that is not there, or empty, has no findings but those of its copies: whether
 * there should be one its owner knows. Without `reading` no copy is made and read.
 */
export async function inspectCatalog(folder: string, { reading = true } = {}): Promise<CatalogInspection> {
  const counts = { files: 0, pages: 0, tables: 0, rows: 0 };
  const findings: Finding[] = [];
  findings.push(...(await inspectCopies(folder)));
  if (await isEmpty(folder)) return { part: 'catalog', counts, findings, known: null };
  const copy = await newestCopy(folder);
  const remedy = copy === null ? BACKUP : restoringFrom(copy.takenAt);
  const tell = (file: string, place: string | null, meaning: string): void => {
    findings.push({ file, place, meaning, remedy, mend: copy === null ? 'none' : 'copy' });
  };
  await inspectPages(folder, counts, tell);
  const told = new Set(findings.map(({ file }) => file));
  for (const { path, meaning } of (await compareSums(folder)) ?? []) {
    const file = path === '' ? `${folder}.sums` : join(folder, path);
    if (path === '') {
      const remedy =
        'the next clean stop writes it anew; without it, files other than tables and indexes are not checked';
      findings.push({ file, place: null, meaning, remedy, mend: 'restart' });
    } else if (!told.has(file)) tell(file, null, meaning);
  }
  const end = await inspectWriteAheadLog(folder);
  if (end?.isLoss === false) {
    const { file, place, meaning } = end;
    findings.push({ file, place, meaning, remedy: 'the next start cuts it off', mend: 'restart' });
  } else if (end !== null && !findings.some(({ file }) => file === end.file)) tell(end.file, end.place, end.meaning);
  if (readFlushMark(folder) === 'damaged') {
    const meaning = 'it does not say any more how far the write-ahead log was flushed';
    const file = join(folder, MARK_FILE);
    findings.push({ file, place: null, meaning, remedy: 'the next start writes it anew', mend: 'restart' });
  }
  if (!reading) return { part: 'catalog', counts, findings, known: null };
  const read = await readOnCopy(folder);
  counts.tables = read.tables;
  counts.rows = read.rows;
  for (const { table, message } of read.problems) tell(folder, table === null ? null : `table ${table}`, message);
  return { part: 'catalog', counts, findings, known: read.known };
}

/** What is to be done where the catalog is damaged and has a copy of that time. */
export function restoringFrom(takenAt: string): string {
  return `\`fieldline doctor --repair\` restores the catalog from its copy of ${takenAt}; or restore the data folder from a backup`;
}

/** A database that was started here would be a new one. */
async function isEmpty(folder: string): Promise<boolean> {
  if ((await stat(join(folder, 'PG_VERSION')).catch(() => null)) !== null) return false;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return !entries.some((entry) => entry.isDirectory() && entry.name !== 'lost+found');
}

async function inspectCopies(folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { path } of await listCopies(copiesOf(folder))) {
    const meaning = await readCopy(path).then(() => null, messageOf);
    const remedy = 'other copies are used; --repair moves it aside';
    if (meaning !== null) findings.push({ file: path, place: null, meaning, remedy, mend: 'restart' });
  }
  return findings;
}

async function inspectPages(
  folder: string,
  counts: { files: number; pages: number },
  tell: (file: string, place: string | null, meaning: string) => void,
): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    counts.files += 1;
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file);
    if (!PAGED_FILE.test(name)) continue;
    const { size } = await stat(file);
    if (size % PAGE_BYTES !== 0) tell(file, `byte ${size}`, 'it ends within a page: it was cut off');
    const damaged = await damagedPages(file, Number(/\.(\d+)$/.exec(name)?.[1] ?? 0), size);
    counts.pages += Math.floor(size / PAGE_BYTES);
    for (const block of damaged.slice(0, PAGES_TOLD_MAX)) {
      tell(file, `block ${block}`, 'the page is not what was written (checksum); PostgreSQL refuses to read it');
    }
    if (damaged.length > PAGES_TOLD_MAX) tell(file, null, `${damaged.length - PAGES_TOLD_MAX} more pages are damaged`);
  }
}

async function damagedPages(file: string, segment: number, size: number): Promise<number[]> {
  const damaged: number[] = [];
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(PAGES_AT_ONCE * PAGE_BYTES);
    for (let block = 0; (block + 1) * PAGE_BYTES <= size; block += PAGES_AT_ONCE) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, block * PAGE_BYTES);
      for (let page = 0; (page + 1) * PAGE_BYTES <= bytesRead; page++) {
        const at = page * PAGE_BYTES;
        const number = segment * SEGMENT_BLOCKS + block + page;
        if (!isPageSound(buffer.subarray(at, at + PAGE_BYTES), number)) damaged.push(number);
      }
    }
  } finally {
    await handle.close();
  }
  return damaged;
}

/** Starts the database on a copy: a start writes. */
async function readOnCopy(folder: string): Promise<EverythingRead> {
  const aside = await mkdtemp(join(tmpdir(), 'fieldline-catalog-'));
  const failed = (message: string): EverythingRead => ({
    ...{ tables: 0, rows: 0, known: null },
    problems: [{ table: null, message }],
  });
  try {
    const copy = join(aside, 'catalog');
    await cp(folder, copy, { recursive: true });
    return await new Promise<EverythingRead>((resolve) => {
      // What PostgreSQL prints on its way is told by the problems.
      const worker = new Worker(new URL('read-everything.ts', import.meta.url), {
        workerData: copy,
        stdout: true,
        stderr: true,
      });
      const timer = setTimeout(() => {
        void worker.terminate();
        resolve(failed(`the database did not answer within ${READ_TIMEOUT_MS / 1000} s`));
      }, READ_TIMEOUT_MS);
      worker.once('message', resolve);
      worker.once('error', (error) => resolve(failed(`the database ended: ${messageOf(error)}`)));
      worker.once('exit', (code) => {
        clearTimeout(timer);
        resolve(failed(`the database ended (${code})`));
      });
    });
  } catch (error) {
    return failed(messageOf(error));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
