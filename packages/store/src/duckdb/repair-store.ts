/**
 * Makes a damaged store whole again, as far as the log and what is still intact allow. Nothing is deleted: what is damaged is
 * moved aside. Samples keep their log position as version, so what the log brings a second time doubles nothing.
 */
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { messageOf, syncDirectory } from '@fieldline/kit';
import type { Position } from '@fieldline/model';
import { checkBlocks, tablesIn, writeBlockList } from './block-list.ts';
import { type StoreInspection, withDatabase } from './inspect-store.ts';
import type { SealedFile } from './layout.ts';
import { listedFiles } from './open-state.ts';
import { FORMAT_VERSION, migrate, ROLL_UP_LEVELS } from './schema.ts';
import { insertFiles } from './seal.ts';
import { integer, quote, transaction } from './session.ts';
import { damageOf } from './verify-files.ts';

export interface StoreRepair {
  readonly dir: string;
  /** Where damaged things go; made where it is missing. */
  readonly asideDir: string;
  /** The oldest record that the log still has: the store reads again from there. */
  oldestOf(topic: string, partition: number): Position;
}

export interface StoreRepairReport {
  /** What was done, in sentences. */
  readonly done: readonly string[];
  /** Sealed files whose samples come again only as far as the log holds them. */
  readonly fromLog: readonly SealedFile[];
  /** True where the whole database was made anew: hot rows come from the log, and what else it knew is told in `done`. */
  readonly isNew: boolean;
}

/** Tables that mean something only together. */
const TOGETHER: readonly (readonly [what: string, ...tables: string[]])[] = [
  ['what the series ids mean', 'series'],
  ['the newest value of each series', 'latest'],
  ['which hours hold repeated samples', 'late_cells'],
  [
    'the roll-ups',
    ...ROLL_UP_LEVELS.map(({ table }) => table),
    'rolled_hours',
    'stale_cells',
    'dropped_days',
    'hours_dropped_before',
  ],
];

/** Repairs what `inspection` (of this moment) has found. The store must not be open. */
export async function repairStore(repair: StoreRepair, inspection: StoreInspection): Promise<StoreRepairReport> {
  if (inspection.findings.every(({ mend }) => mend !== 'log')) {
    if (inspection.findings.length > 0) await checkpoint(repair.dir);
    return { done: [], fromLog: [], isNew: false };
  }
  if (inspection.databaseSound) return takeOutFiles(repair, inspection.damagedFiles);
  return rebuild(repair);
}

/** Opening replays the write-ahead log as far as it is whole; the checkpoint puts that into the database. */
async function checkpoint(dir: string): Promise<void> {
  await withWritable(join(dir, 'store.duckdb'), async () => {});
}

async function takeOutFiles(repair: StoreRepair, damaged: readonly SealedFile[]): Promise<StoreRepairReport> {
  const done: string[] = [];
  await withWritable(join(repair.dir, 'store.duckdb'), async (connection) => {
    for (const file of damaged) done.push(await moveAside(repair, join('sealed', file.path)));
    await transaction(connection, async () => {
      await connection.run(`DELETE FROM files WHERE id IN (${damaged.map(({ id }) => integer(id)).join(', ')})`);
      done.push(...(await goBack(connection, repair)));
    });
  });
  return { done, fromLog: damaged, isNew: false };
}

/** The store reads the log again from its oldest record. */
async function goBack(connection: DuckDBConnection, { oldestOf }: StoreRepair): Promise<string[]> {
  const rows = await (await connection.run('SELECT topic, partition, next FROM positions')).getRows();
  const told: string[] = [];
  for (const [topic, partition, next] of rows) {
    const oldest = Math.min(Number(next), oldestOf(String(topic), Number(partition)));
    await connection.run('UPDATE positions SET next = $1 WHERE topic = $2 AND partition = $3', [
      BigInt(oldest),
      String(topic),
      Number(partition),
    ]);
    told.push(`the store reads ${topic}/${partition} again from record ${oldest}, at the next start`);
  }
  return told;
}

/** A new database that takes over what the old one can still tell, and the sealed files that are as they were listed. */
async function rebuild(repair: StoreRepair): Promise<StoreRepairReport> {
  const { dir, asideDir } = repair;
  const old = join(asideDir, 'store');
  await mkdir(asideDir, { recursive: true });
  await rename(dir, old);
  await syncDirectory(dirname(dir));
  await mkdir(join(dir, 'sealed'), { recursive: true });
  const done = [`moved ${dir} to ${old}`];
  const lost: SealedFile[] = [];
  const misplaced = await misplacedBlocks(join(old, 'store.duckdb'));
  await withWritable(join(dir, 'store.duckdb'), async (connection) => {
    await migrate(connection);
    const source = misplaced === null ? null : await openable(old);
    if (source === null || misplaced === null) {
      done.push('nothing could be taken over from the old database; its sealed files stay readable as Parquet there');
      return;
    }
    const unsound = await unsoundTables(source, misplaced);
    if (unsound.has('format') || unsound.has('files')) {
      done.push('the list of sealed files could not be taken over; they stay readable as Parquet in the old folder');
      return;
    }
    await connection.run(`ATTACH ${quote(source)} AS old (READ_ONLY)`);
    for (const [what, ...tables] of TOGETHER) done.push(await takeOver(connection, what, tables, unsound));
    const { sound, damaged } = await sortFiles(source, join(old, 'sealed'));
    for (const file of sound) {
      await mkdir(dirname(join(dir, 'sealed', file.path)), { recursive: true });
      await rename(join(old, 'sealed', file.path), join(dir, 'sealed', file.path));
    }
    await insertFiles(connection, sound);
    done.push(`took over ${sound.length} sealed files with ${sumOf(sound)} samples`);
    lost.push(...damaged);
    await connection.run('DETACH old');
  });
  await rm(join(old, 'without-log.duckdb'), { force: true });
  done.push('the store reads the log again from its oldest record, at the next start');
  return { done, fromLog: lost, isNew: true };
}

/** A database file of the old store that opens: as it is, or a copy without the write-ahead log. */
async function openable(old: string): Promise<string | null> {
  const whole = join(old, 'store.duckdb');
  const alone = join(old, 'without-log.duckdb');
  await copyFile(whole, alone).catch(() => {
    // There is none; then neither opens.
  });
  for (const path of [whole, alone]) {
    try {
      await withDatabase(path, async (connection) => {
        const [row] = await (await connection.run('SELECT version FROM format')).getRows();
        if (Number(row?.[0]) !== FORMAT_VERSION) throw new Error('another format');
        await listedFiles(connection);
      });
      return path;
    } catch {
      // It is damaged where it begins, or its list of files is: the other one may do.
    }
  }
  return null;
}

async function unsoundTables(path: string, misplaced: readonly number[]): Promise<Set<string>> {
  return misplaced.length === 0 ? new Set() : withDatabase(path, (database) => tablesIn(database, misplaced));
}

/** Blocks of the old database that are not what was written there; null where it cannot be told what is what. */
async function misplacedBlocks(path: string): Promise<number[] | null> {
  const check = await checkBlocks(path);
  if (typeof check === 'string') return [];
  return check.some(({ block, isMetadata }) => block === null || isMetadata) ? null : check.map(({ block }) => block!);
}

async function takeOver(
  connection: DuckDBConnection,
  what: string,
  tables: readonly string[],
  unsound: ReadonlySet<string>,
): Promise<string> {
  if (tables.some((table) => unsound.has(table))) {
    return `could not take over ${what} (blocks of another place stand there); made anew from what is there`;
  }
  try {
    await transaction(connection, async () => {
      for (const table of tables) await connection.run(`INSERT INTO ${table} BY NAME SELECT * FROM old.${table}`);
    });
    return `took over ${what}`;
  } catch (error) {
    return `could not take over ${what} (${messageOf(error).split('\n')[0]}); made anew from what is there`;
  }
}

async function sortFiles(source: string, sealedDir: string): Promise<{ sound: SealedFile[]; damaged: SealedFile[] }> {
  const sound: SealedFile[] = [];
  const damaged: SealedFile[] = [];
  for (const file of await withDatabase(source, listedFiles)) {
    const isSound = (await damageOf(sealedDir, file)) === null;
    (isSound ? sound : damaged).push({ ...file, damage: null });
  }
  return { sound, damaged };
}

async function moveAside({ dir, asideDir }: StoreRepair, path: string): Promise<string> {
  const [from, to] = [join(dir, path), join(asideDir, 'store', path)];
  await mkdir(dirname(to), { recursive: true });
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return `${from} is missing; it was taken off the list`;
    throw error;
  }
  await syncDirectory(dirname(from));
  return `moved ${from} to ${to}`;
}

/** Changes end with a checkpoint, and the list of blocks that belongs to it. */
async function withWritable(path: string, use: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(path, { threads: '2', memory_limit: '512MB' });
  const connection = await instance.connect();
  try {
    await use(connection);
    await connection.run('CHECKPOINT');
    await writeBlockList(path, connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function sumOf(files: readonly SealedFile[]): number {
  return files.reduce((sum, file) => sum + file.rowCount, 0);
}
