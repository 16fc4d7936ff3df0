/**
 * A new database beside the sealed files, which stay where they are: it takes over what the old one can still tell, and lists the
 * files; where the old one cannot tell which there are, the files themselves do. It is whole and durable before it takes the old
 * one's place, so that a repair that is cut off leaves the old database, or the new one, or none beside all its files.
 */
import { existsSync } from 'node:fs';
import { copyFile, link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { makeDirectorySync, messageOf, syncDirectory } from '@fieldline/kit';
import { adoptFiles, adoptSeries } from './adopt-files.ts';
import { checkBlocks, copyWithHeaders, hasOtherHeaders, tablesIn } from './block-list.ts';
import { describeFile, sealedPaths } from './found-files.ts';
import { NO_DATABASE, withDatabase, withWritable } from './inspect-store.ts';
import type { SealedFile } from './layout.ts';
import { findLeftovers, moveFile } from './leftovers.ts';
import { listedFiles } from './open-state.ts';
import { FORMAT_VERSION, migrate, ROLL_UP_LEVELS } from './schema.ts';
import { quote, transaction } from './session.ts';
import { damageOf } from './verify-files.ts';

export interface Rebuilt {
  /** What was done, in sentences. */
  readonly done: readonly string[];
  /** Listed files that are not what was written. */
  readonly damaged: readonly SealedFile[];
  /** Files that nobody can list, with the reason. */
  readonly unreadable: readonly string[];
}

/** Tables that mean something only together. */
const TOGETHER = {
  series: ['what the series ids mean', 'series'],
  latest: ['the newest value of each series', 'latest'],
  lateCells: ['which hours hold repeated samples', 'late_cells'],
  rollUps: [
    'the roll-ups',
    ...ROLL_UP_LEVELS.map(({ table }) => table),
    'rolled_hours',
    'stale_cells',
    'dropped_days',
    'hours_dropped_before',
  ],
} as const satisfies Readonly<Record<string, readonly [what: string, ...tables: string[]]>>;

/** In the order in which they are moved: without a database, nobody takes the others for one. */
const DATABASE_FILES = ['store.duckdb', 'store.duckdb.wal', 'store.duckdb.blocks'];
const NEW = 'repaired.duckdb';
const WITH_HEADERS = 'with-headers.duckdb';
const COPIES = ['without-log.duckdb', WITH_HEADERS];

export async function rebuildStore(dir: string, asideDir: string): Promise<Rebuilt> {
  makeDirectorySync(join(dir, 'sealed'));
  await removeDatabases(dir, [NEW, ...COPIES]);
  const source = await sourceIn(dir);
  const files = await filesOf(dir, source);
  const done: string[] = [];
  await withWritable(join(dir, NEW), async (connection) => {
    await migrate(connection);
    done.push(...(await fill(connection, join(dir, 'sealed'), source, files)));
  });
  await removeDatabases(dir, COPIES);
  const old = join(asideDir, 'store');
  makeDirectorySync(old);
  for (const path of [...files.damaged.map(({ path }) => path), ...files.unreadable.keys()]) {
    if (!files.there.has(path)) continue;
    const [from, to] = [join(dir, 'sealed', path), join(old, 'sealed', path)];
    await moveFile(from, to);
    done.push(`moved ${from} to ${to}`);
  }
  done.push(...(await exchange(dir, old)));
  done.push('the store reads the log again from its oldest record, at the next start');
  const { damaged, unreadable } = files;
  return { done, damaged, unreadable: [...unreadable].map(([path, reason]) => `${path}: ${reason}`) };
}

/**
 * Where only the headers of the database are damaged, those that its list of blocks keeps take their place, and nothing is lost.
 * False where more is damaged, or nothing says what they were.
 */
export async function restoreHeaders(dir: string, asideDir: string): Promise<boolean> {
  const [path, copy] = [join(dir, 'store.duckdb'), join(dir, WITH_HEADERS)];
  try {
    if (!(await hasOtherHeaders(path))) return false;
    if (!(await copyWithHeaders(path, copy)) || (await misplacedBlocks(copy))?.length !== 0) return false;
    if (!(await opens(copy))) return false;
    const old = join(asideDir, 'store');
    makeDirectorySync(old);
    await link(path, join(old, 'store.duckdb'));
    await syncDirectory(old);
    await rename(copy, path);
    await syncDirectory(dir);
    return true;
  } finally {
    await removeDatabases(dir, [WITH_HEADERS]);
  }
}

/** A database of the old store that can be read. */
interface Source {
  readonly path: string;
  /** Tables that have something in blocks that are not what was written there. */
  readonly unsound: ReadonlySet<string>;
  /** With its write-ahead log: it knows all that was ever listed. */
  readonly isWhole: boolean;
}

/** As it is, or without the write-ahead log, or with the headers that its list of blocks keeps. */
async function sourceIn(dir: string): Promise<Source | null> {
  const [whole, alone, mended] = ['store.duckdb', ...COPIES].map((name) => join(dir, name)) as [string, string, string];
  const misplaced = await misplacedBlocks(whole);
  if (misplaced !== null) {
    if (await opens(whole)) return sourceOf(whole, misplaced, true);
    if (existsSync(whole) && existsSync(`${whole}.wal`)) {
      await copyFile(whole, alone);
      if (await opens(alone)) return sourceOf(alone, misplaced, false);
    }
  }
  if (!(await copyWithHeaders(whole, mended).catch(() => false))) return null;
  const known = (await misplacedBlocks(mended)) ?? [];
  if (await opens(mended)) return sourceOf(mended, known, true);
  await rm(`${mended}.wal`, { force: true });
  return (await opens(mended)) ? sourceOf(mended, known, false) : null;
}

async function sourceOf(path: string, misplaced: readonly number[], isWhole: boolean): Promise<Source> {
  const unsound =
    misplaced.length === 0
      ? new Set<string>()
      : await withDatabase(path, (database) => tablesIn(database, misplaced)).catch(() => new Set(['files']));
  return { path, unsound, isWhole };
}

/** Blocks of the database that are not what was written there; null where it cannot be told what is what. */
async function misplacedBlocks(path: string): Promise<number[] | null> {
  const check = await checkBlocks(path);
  if (typeof check === 'string') return [];
  return check.some(({ block, isMetadata }) => block === null || isMetadata) ? null : check.map(({ block }) => block!);
}

async function opens(path: string): Promise<boolean> {
  try {
    return await withDatabase(path, async (connection) => {
      const [row] = await (await connection.run('SELECT version FROM format')).getRows();
      return Number(row?.[0]) === FORMAT_VERSION;
    });
  } catch {
    // It is damaged where it begins, or its log is: another one may do.
    return false;
  }
}

interface Files {
  /** Paths of all that are in the folder. */
  readonly there: ReadonlySet<string>;
  readonly listed: readonly SealedFile[];
  readonly damaged: readonly SealedFile[];
  /** Sound, and on no list. */
  readonly found: readonly SealedFile[];
  /** Path → what is wrong with it. */
  readonly unreadable: ReadonlyMap<string, string>;
}

async function filesOf(dir: string, source: Source | null): Promise<Files> {
  const sealedDir = join(dir, 'sealed');
  const known = await knownFiles(sealedDir, source);
  const there = new Set(await sealedPaths(sealedDir));
  const listed: SealedFile[] = [];
  const missing: SealedFile[] = [];
  for (const file of known?.listed ?? []) {
    const isSound = (await damageOf(sealedDir, file)) === null;
    (isSound ? listed : missing).push({ ...file, damage: null });
  }
  const found: SealedFile[] = [];
  const unreadable = new Map<string, string>();
  const names = new Set(known?.listed.map(({ path }) => path));
  const unlisted = known?.isAll === true ? [] : [...there].filter((path) => !names.has(path));
  await withDatabase(NO_DATABASE, async (connection) => {
    for (const path of unlisted) {
      const file = await describeFile(connection, sealedDir, path);
      if (typeof file === 'string') unreadable.set(path, file);
      else found.push(file);
    }
  });
  // One that is gone, beside a newer one of its day that the list does not know, was merged into that.
  const damaged = missing.filter((file) => there.has(file.path) || !found.some((other) => isMergedInto(file, other)));
  return { there, listed, damaged, found, unreadable };
}

function isMergedInto(file: SealedFile, other: SealedFile): boolean {
  const isOfPortion = file.day === other.day && file.organizationId === other.organizationId;
  return isOfPortion && other.generation >= file.generation && other.id > file.id;
}

/** The old list; null where it cannot be read. `isAll`: what it does not name is what a crash has left. */
async function knownFiles(
  sealedDir: string,
  source: Source | null,
): Promise<{ listed: readonly SealedFile[]; isAll: boolean } | null> {
  if (source === null || source.unsound.has('files') || source.unsound.has('format')) return null;
  try {
    return await withDatabase(source.path, async (connection) => {
      const listed = await listedFiles(connection);
      const isAll = source.isWhole && (await findLeftovers(connection, sealedDir, listed)).unknown.length === 0;
      return { listed, isAll };
    });
  } catch {
    // Its blocks are damaged.
    return null;
  }
}

/** What the new database knows. */
async function fill(
  connection: DuckDBConnection,
  sealedDir: string,
  source: Source | null,
  { listed, found }: Files,
): Promise<string[]> {
  const done: string[] = [];
  const taken = new Set<keyof typeof TOGETHER>();
  if (source === null) done.push('nothing could be taken over from the old database');
  else {
    await connection.run(`ATTACH ${quote(source.path)} AS old (READ_ONLY)`);
    for (const [key, [what, ...tables]] of Object.entries(TOGETHER)) {
      const failure = await takeOver(connection, tables, source.unsound);
      if (failure === null) taken.add(key as keyof typeof TOGETHER);
      done.push(failure === null ? `took over ${what}` : `could not take over ${what} (${failure}); made anew`);
    }
    await connection.run('DETACH old');
  }
  if (found.length > 0 || !taken.has('series'))
    done.push(...(await adoptSeries(connection, sealedDir, [...listed, ...found])));
  const [hasLatest, hasLateCells] = [taken.has('latest'), taken.has('lateCells')];
  await adoptFiles(connection, sealedDir, { listed, found, hasLatest, hasLateCells });
  done.push(`took over ${listed.length} sealed files with ${sumOf(listed)} samples`);
  if (found.length > 0) done.push(`listed ${found.length} sealed files with ${sumOf(found)} samples by what they hold`);
  if (found.length > 0 && !taken.has('rollUps'))
    done.push('roll-ups are made anew from samples; those of days whose samples retention has deleted are lost');
  return done;
}

/** What hinders it, in words; null where it is done. */
async function takeOver(
  connection: DuckDBConnection,
  tables: readonly string[],
  unsound: ReadonlySet<string>,
): Promise<string | null> {
  if (tables.some((table) => unsound.has(table))) return 'blocks of another place stand there';
  try {
    await transaction(connection, async () => {
      for (const table of tables) await connection.run(`INSERT INTO ${table} BY NAME SELECT * FROM old.${table}`);
    });
    return null;
  } catch (error) {
    return messageOf(error).split('\n')[0]!;
  }
}

/** The old database goes aside, the new one takes its place; its list of blocks comes first. */
async function exchange(dir: string, old: string): Promise<string[]> {
  const done: string[] = [];
  for (const name of DATABASE_FILES) {
    const from = join(dir, name);
    const isThere = await rename(from, join(old, name)).then(
      () => true,
      (error: { code?: string }) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    if (isThere) done.push(`moved ${from} to ${join(old, name)}`);
  }
  await syncDirectory(old);
  await syncDirectory(dir);
  await rename(join(dir, `${NEW}.blocks`), join(dir, 'store.duckdb.blocks'));
  await rename(join(dir, NEW), join(dir, 'store.duckdb'));
  await syncDirectory(dir);
  return done;
}

async function removeDatabases(dir: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    for (const ending of ['', '.wal', '.blocks', '.blocks.new']) await rm(join(dir, name + ending), { force: true });
  }
}

function sumOf(files: readonly SealedFile[]): number {
  return files.reduce((sum, file) => sum + file.rowCount, 0);
}
