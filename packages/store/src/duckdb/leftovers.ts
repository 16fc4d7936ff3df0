/**
 * Files in the sealed folder that the list does not name. Those that a crash has left between a file and its listing, or between
 * its merging and its deletion, hold nothing that is not elsewhere, and go. Any other may hold samples that this database has
 * never seen (it is older than its files, say): then all are moved aside, and nothing is deleted.
 */
import { readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type Logger, makeDirectorySync, syncDirectory } from '@fieldline/kit';
import { type SealedName, sealedNameOf, sealedPaths } from './found-files.ts';
import { type HotRows, hotRowsSql } from './hot-tables.ts';
import type { SealedFile } from './layout.ts';
import { integer, quote } from './session.ts';
import { organizationFolder, UNFINISHED } from './write-parquet.ts';

export interface Leftovers {
  /** Paths of files that the list does not name. */
  readonly unlisted: readonly string[];
  /** Those of them that no crash explains. */
  readonly unknown: readonly string[];
}

/** Looks at the files that `listed` does not name; `connection` may read the sealed folder. */
export async function findLeftovers(
  connection: DuckDBConnection,
  sealedDir: string,
  listed: readonly SealedFile[],
): Promise<Leftovers> {
  const names = new Set(listed.map(({ path }) => path));
  const there = await sealedPaths(sealedDir);
  const unlisted = there.filter((path) => !names.has(path));
  if (unlisted.length === 0) return { unlisted, unknown: [] };
  const present = new Set(there);
  const idMax = listed.reduce((most, { id }) => Math.max(most, id), 0);
  const unknown: string[] = [];
  const bySeal = new Map<number, string[]>();
  const dropped = await droppedDays(connection);
  for (const path of unlisted) {
    const name = sealedNameOf(path);
    const portion = listed.filter((file) => file.day === name?.day && folderOf(file) === name.folder);
    const isWhole = portion.every((file) => present.has(file.path));
    const isKnown = name !== null && isWhole;
    const isMerged = portion.some(({ generation }) => generation >= name!.generation);
    if (isKnown && (isMerged || dropped(name.day))) continue;
    if (isKnown && name.id > idMax) bySeal.set(name.generation, [...(bySeal.get(name.generation) ?? []), path]);
    else unknown.push(path);
  }
  for (const [generation, paths] of bySeal) {
    if (!(await isOfHotRows(connection, sealedDir, generation, paths))) unknown.push(...paths);
  }
  return { unlisted, unknown };
}

/** Deletes what a crash has left; moves all aside where there is more than that. */
export async function clearLeftovers(
  connection: DuckDBConnection,
  dir: string,
  listed: readonly SealedFile[],
  now: Date,
  logger: Logger,
): Promise<void> {
  const sealedDir = join(dir, 'sealed');
  for (const name of await readdir(sealedDir, { recursive: true }))
    if (name.endsWith(UNFINISHED)) await unlink(join(sealedDir, name));
  const { unlisted, unknown } = await findLeftovers(connection, sealedDir, listed);
  if (unknown.length === 0) {
    for (const path of unlisted) await unlink(join(sealedDir, path));
    return;
  }
  const aside = join(dir, 'set-aside', now.toISOString().replaceAll(':', '-'), 'sealed');
  for (const path of unlisted) await moveFile(join(sealedDir, path), join(aside, path));
  const sentence =
    'the telemetry store does not know these sealed files: its database is older than they are, or another one; they were moved aside, and stay readable as Parquet. To have their samples again, stop the server, restore the newer database (store.duckdb and store.duckdb.blocks) and move them back';
  logger.error({ code: 'STORE_DAMAGED', aside, files: unlisted.length, path: unknown[0] }, sentence);
}

/** Moves a file into a folder that is made where it is missing. Durable when it resolves. */
export async function moveFile(from: string, to: string): Promise<void> {
  makeDirectorySync(dirname(to));
  await rename(from, to);
  await syncDirectory(dirname(to));
  await syncDirectory(dirname(from));
}

function folderOf({ organizationId }: SealedFile): string {
  return organizationFolder(organizationId);
}

/** Retention takes a day's files off the list first, and deletes them then. */
async function droppedDays(connection: DuckDBConnection): Promise<(day: number) => boolean> {
  const numbers = async (table: string): Promise<number[]> =>
    (await (await connection.run(`SELECT day FROM ${table}`)).getRows()).map(([day]) => Number(day));
  const days = new Set(await numbers('dropped_days'));
  const before = (await numbers('hours_dropped_before'))[0] ?? -Infinity;
  return (day) => days.has(day) || day < before;
}

/** True where these are what a seal of this generation has written, whose rows are hot still. */
async function isOfHotRows(
  connection: DuckDBConnection,
  sealedDir: string,
  generation: SealedName['generation'],
  paths: readonly string[],
): Promise<boolean> {
  const sql = `SELECT shards FROM generations WHERE id = ${integer(generation)} AND NOT sealed`;
  const [shards] = (await (await connection.run(sql)).getRows()).map(([count]) => Number(count));
  if (shards === undefined) return false;
  const hot: HotRows = { id: generation, shardRows: new Array<number>(shards).fill(0) };
  const files = paths.map((path) => quote(join(sealedDir, path))).join(', ');
  const countOf = async (rows: string): Promise<number[]> =>
    (await (await connection.run(`SELECT count(*), max(version) FROM ${rows}`)).getRows())[0]!.map(Number);
  try {
    const [hotCount, hotVersion] = await countOf(`(${hotRowsSql(hot, 'version')})`);
    const [count, version] = await countOf(`read_parquet([${files}], hive_partitioning = false)`);
    return count! <= hotCount! && version! <= hotVersion!;
  } catch {
    // It cannot be read, so it is not what a seal leaves.
    return false;
  }
}
