/**
 * Looks at everything in a store that nobody has open, and changes nothing: the write-ahead log's entries, every table of the
 * database (its blocks carry checksums), each sealed file's length and checksum, and whether DuckDB can read it.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type Finding, type Inspection, messageOf } from '@fieldline/kit';
import type { Micros, Position } from '@fieldline/model';
import { checkBlocks, writeBlockList } from './block-list.ts';
import { sealedPaths } from './found-files.ts';
import type { SealedFile } from './layout.ts';
import { findLeftovers } from './leftovers.ts';
import { listedFiles } from './open-state.ts';
import { FORMAT_VERSION } from './schema.ts';
import { quote } from './session.ts';
import { damageOf } from './verify-files.ts';
import { inspectWriteAheadLog } from './write-ahead-log.ts';

export interface StoreInspection extends Inspection {
  /** How far the store has read the log; empty where the database cannot tell. */
  readonly positions: readonly { readonly topic: string; readonly partition: number; readonly next: Position }[];
  /** True where every table could be read: then sealed files that are damaged can be taken out one by one. */
  readonly databaseSound: boolean;
  readonly damagedFiles: readonly SealedFile[];
}

const FROM_LOG =
  'stop the server and run `fieldline doctor --repair`: what the log keeps of it comes again; or restore a backup';
const MEMORY_LIMIT = '512MB';
const BLOCKS_TOLD_MAX = 5;

/** Inspects the store's folder; one that is not there is empty. */
export async function inspectStore(dir: string): Promise<StoreInspection> {
  const found: Mutable = {
    counts: { tables: 0, rows: 0, sealedFiles: 0, sealedRows: 0 },
    findings: [],
    positions: [],
    damagedFiles: [],
  };
  const path = join(dir, 'store.duckdb');
  const sealedDir = join(dir, 'sealed');
  let databaseSound = true;
  if ((await sizeOf(path)) === null) {
    const names = await sealedPaths(sealedDir);
    databaseSound = names.length === 0;
    if (!databaseSound) {
      const meaning = `the database is missing, and with it the list of the ${names.length} sealed files beside it`;
      found.findings.push({ file: path, place: null, meaning, remedy: FROM_LOG, mend: 'log' });
    }
    return { part: 'store', ...found, databaseSound };
  }
  found.findings.push(...(await inspectWriteAheadLog(`${path}.wal`)));
  if (!(await inspectBlocks(path, found.findings))) return { part: 'store', ...found, databaseSound: false };
  try {
    await withDatabase(path, async (connection) => {
      databaseSound =
        (await inspectTables(connection, path, found)) && (await knowsFiles(connection, path, sealedDir, found));
      if (!databaseSound) return;
      await inspectSealed(connection, sealedDir, found);
      databaseSound = await inspectUnlisted(connection, path, sealedDir, found.findings);
    });
  } catch (error) {
    databaseSound = false;
    found.findings.push(unreadable(path, 'the database cannot be opened', error));
  }
  return { part: 'store', ...found, databaseSound };
}

/** True where every block is the one that was written there, as far as that is known. Otherwise DuckDB must not read them. */
async function inspectBlocks(path: string, findings: Finding[]): Promise<boolean> {
  const check = await checkBlocks(path);
  if (check === 'unknown') return true;
  if (check === 'damaged list') {
    const meaning =
      'the list of the database’s blocks is damaged: one that stands in the place of another is not noticed';
    findings.push({
      file: `${path}.blocks`,
      place: null,
      meaning,
      remedy: 'the next start writes it anew',
      mend: 'restart',
    });
    return true;
  }
  for (const { place, byteOffset, meaning } of check.slice(0, BLOCKS_TOLD_MAX)) {
    const what = `${meaning}; DuckDB would take it for what it should be`;
    findings.push({ file: path, place: `${place}, byte ${byteOffset}`, meaning: what, remedy: FROM_LOG, mend: 'log' });
  }
  return check.length === 0;
}

interface Mutable {
  readonly counts: { tables: number; rows: number; sealedFiles: number; sealedRows: number };
  readonly findings: Finding[];
  positions: StoreInspection['positions'];
  readonly damagedFiles: SealedFile[];
}

/** As a path for withDatabase: only files are read. */
export const NO_DATABASE = ':memory:';

/** Opens a database for reading only, with what its write-ahead log adds, for as long as `use` takes. */
export async function withDatabase<T>(path: string, use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(path, {
    ...(path !== NO_DATABASE && { access_mode: 'READ_ONLY' }),
    memory_limit: MEMORY_LIMIT,
    threads: '2',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  try {
    return await use(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Changes end with a checkpoint, and the list of blocks that belongs to it. */
export async function withWritable(path: string, use: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
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

async function inspectTables(connection: DuckDBConnection, path: string, found: Mutable): Promise<boolean> {
  const names = await (await connection.run('SELECT table_name FROM duckdb_tables() ORDER BY table_name')).getRows();
  let isSound = true;
  for (const [name] of names) {
    const table = String(name);
    try {
      found.counts.rows += await rowsRead(connection, `"${table}"`);
      found.counts.tables += 1;
    } catch (error) {
      isSound = false;
      found.findings.push(unreadable(path, `table ${table} cannot be read`, error));
    }
  }
  if (!isSound || !names.some(([name]) => name === 'format')) return isSound;
  const [format] = await (await connection.run('SELECT version FROM format')).getRows();
  if (Number(format?.[0] ?? 0) > FORMAT_VERSION) {
    const meaning = `it has format ${format![0]}, this program knows up to ${FORMAT_VERSION}`;
    found.findings.push({ file: path, place: null, meaning, remedy: 'start the newer version', mend: 'none' });
  }
  const positions = await (await connection.run('SELECT topic, partition, next FROM positions')).getRows();
  found.positions = positions.map(([topic, partition, next]) => ({
    topic: String(topic),
    partition: Number(partition),
    next: Number(next),
  }));
  return true;
}

/** False where the database is as good as new and samples are sealed beside it: the start of its write-ahead log is missing. */
async function knowsFiles(
  connection: DuckDBConnection,
  path: string,
  sealedDir: string,
  found: Mutable,
): Promise<boolean> {
  const tables = await (await connection.run("SELECT 1 FROM duckdb_tables() WHERE table_name = 'files'")).getRows();
  const listed = tables.length === 0 ? [] : await listedFiles(connection);
  if (listed.length > 0 || found.positions.length > 0) return true;
  const names = await sealedPaths(sealedDir);
  if (names.length === 0) return true;
  const meaning = `it has never read the log and knows none of the ${names.length} sealed files beside it: it is another one, or what it was told first is missing`;
  found.findings.push({ file: path, place: null, meaning, remedy: FROM_LOG, mend: 'log' });
  return false;
}

/** Reads every value of a table or of a file; the sum of their hashes is what makes DuckDB do so. */
async function rowsRead(connection: DuckDBConnection, source: string): Promise<number> {
  const rows = await (await connection.run(`SELECT count(*), bit_xor(hash(t)) FROM ${source} AS t`)).getRows();
  return Number(rows[0]![0]);
}

async function inspectSealed(connection: DuckDBConnection, sealedDir: string, found: Mutable): Promise<void> {
  const tables = await (await connection.run("SELECT 1 FROM duckdb_tables() WHERE table_name = 'files'")).getRows();
  const files = tables.length === 0 ? [] : await listedFiles(connection);
  for (const file of files) {
    const damage = (await damageOf(sealedDir, file)) ?? (await unreadableParquet(connection, sealedDir, file));
    found.counts.sealedFiles += 1;
    if (damage === null) {
      found.counts.sealedRows += file.rowCount;
      continue;
    }
    found.damagedFiles.push(file);
    found.findings.push({
      file: join(sealedDir, file.path),
      place: `${file.rowCount} samples of ${timeText(file.minTime)} to ${timeText(file.maxTime)}`,
      meaning: damage,
      remedy: FROM_LOG,
      mend: 'log',
    });
  }
  // Where the end of the write-ahead log is missing, the database knows less than the files do.
  if (found.findings.length === 0) await inspectSeriesFiles(connection, sealedDir, found.findings);
}

/** False where there are sealed files that no crash explains: the database is older than they are, or another one. */
async function inspectUnlisted(
  connection: DuckDBConnection,
  path: string,
  sealedDir: string,
  findings: Finding[],
): Promise<boolean> {
  const [format] = await (await connection.run('SELECT version FROM format')).getRows();
  if (Number(format?.[0]) !== FORMAT_VERSION) return true;
  const { unknown } = await findLeftovers(connection, sealedDir, await listedFiles(connection));
  if (unknown.length === 0) return true;
  const place = `${unknown.length} sealed files, ${unknown[0]} among them`;
  const meaning = 'it does not list them: it is older than they are, or another one';
  const remedy = `restore the newer one; or stop the server and run \`fieldline doctor --repair\`, which lists them again. A server that starts on it moves them aside`;
  findings.push({ file: path, place, meaning, remedy, mend: 'log' });
  return false;
}

async function unreadableParquet(
  connection: DuckDBConnection,
  sealedDir: string,
  file: SealedFile,
): Promise<string | null> {
  try {
    const rows = await rowsRead(
      connection,
      `read_parquet(${quote(join(sealedDir, file.path))}, hive_partitioning = false)`,
    );
    return rows === file.rowCount ? null : `it holds ${rows} samples instead of ${file.rowCount}`;
  } catch (error) {
    return `DuckDB cannot read it: ${firstLine(error)}`;
  }
}

/** The list of series beside an organisation's samples is for other programs; it is written anew at each start. */
async function inspectSeriesFiles(connection: DuckDBConnection, sealedDir: string, findings: Finding[]): Promise<void> {
  const names = await readdir(sealedDir, { recursive: true }).catch(() => []);
  for (const name of names.filter((each) => basename(each) === 'series.parquet')) {
    const file = join(sealedDir, name);
    const columns = 'series_id, organization_id, subject_kind, subject_id, metric_key, value_kind, unit, metadata';
    const wrong = `SELECT count(*) FROM (SELECT ${columns} FROM read_parquet(${quote(file)}, hive_partitioning = false)
      EXCEPT SELECT id, * EXCLUDE (id) FROM series)`;
    try {
      const [row] = await (await connection.run(wrong)).getRows();
      if (Number(row![0]) === 0) continue;
      findings.push(seriesFinding(file, `${row![0]} of its lines are not what the database says`));
    } catch (error) {
      findings.push(seriesFinding(file, `DuckDB cannot read it: ${firstLine(error)}`));
    }
  }
}

function seriesFinding(file: string, what: string): Finding {
  const meaning = `${what}; Fieldline does not read it, other programs do`;
  return { file, place: null, meaning, remedy: 'the next start writes it anew', mend: 'restart' };
}

function unreadable(path: string, what: string, error: unknown): Finding {
  const said = firstLine(error);
  const inLog = /WAL file|wal"/i.test(said);
  const byte = /(?:at location|at byte position|from location) (\d+)/.exec(said)?.[1];
  return {
    file: inLog ? `${path}.wal` : path,
    place: byte === undefined ? null : `byte ${byte}`,
    meaning: `${what}: ${said}`,
    remedy: FROM_LOG,
    mend: 'log',
  };
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0]!;
}

function timeText(time: Micros): string {
  return new Date(time / 1000).toISOString();
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.size ?? null;
}
