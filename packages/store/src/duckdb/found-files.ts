/**
 * Sealed files as the folder itself tells of them: by their paths and contents. For a list that was lost, and for files that the
 * list does not name.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf } from '@fieldline/kit';
import { MICROS_PER_DAY } from '@fieldline/model';
import type { SealedFile } from './layout.ts';
import { quote } from './session.ts';
import { fileCrc32 } from './verify-files.ts';
import { organizationFolder } from './write-parquet.ts';

export const SERIES_FILE = 'series.parquet';
const NAME = /^(org=[^/]+)\/day=(\d{4}-\d\d-\d\d)\/(\d+)-(\d+)(?:-([0-9a-f]{8}))?\.parquet$/;

/** What a path says of the file. */
export interface SealedName {
  readonly path: string;
  readonly folder: string;
  readonly day: number;
  readonly generation: number;
  readonly id: number;
  /** null: an earlier version wrote it. */
  readonly crc32: number | null;
}

/** Paths of the sealed files in the folder, whatever any list says; none where there is no folder. */
export async function sealedPaths(sealedDir: string): Promise<string[]> {
  const entries = await readdir(sealedDir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.parquet') && entry.name !== SERIES_FILE)
    .map((entry) => relative(sealedDir, join(entry.parentPath, entry.name)))
    .sort();
}

/** null where it is no name that this program gives. */
export function sealedNameOf(path: string): SealedName | null {
  const [, folder, date, generation, id, crc] = NAME.exec(path) ?? [];
  if (folder === undefined) return null;
  return {
    path,
    folder,
    day: Date.parse(date!) / 86_400_000,
    generation: Number(generation),
    id: Number(id),
    crc32: crc === undefined ? null : Number.parseInt(crc, 16),
  };
}

/** The line of the list that belongs to a file, every value of which is read for it; in words why there is none. */
export async function describeFile(
  connection: DuckDBConnection,
  sealedDir: string,
  path: string,
): Promise<SealedFile | string> {
  const name = sealedNameOf(path);
  if (name === null) return 'it has a name that Fieldline does not give';
  const full = join(sealedDir, path);
  try {
    const { size, mtimeMs } = await stat(full);
    const crc32 = await fileCrc32(full);
    if (name.crc32 !== null && name.crc32 !== crc32) return 'it has another checksum than its name says';
    const rows = await connection.run(
      `SELECT count(*)::DOUBLE, min(epoch_us(source_time))::DOUBLE, max(epoch_us(source_time))::DOUBLE, min(series_id), max(series_id),
       bit_xor(hash(t)) FROM read_parquet(${quote(full)}, hive_partitioning = false) AS t`,
    );
    const [rowCount, minTime, maxTime, minSeries, maxSeries] = (await rows.getRows())[0]!.map(Number);
    const days = [minTime!, maxTime!].map((time) => Math.floor(time / MICROS_PER_DAY));
    if (rowCount === 0 || days.some((day) => day !== name.day)) return 'it does not hold samples of its day alone';
    return {
      id: name.id,
      generation: name.generation,
      organizationId: await organizationOf(connection, sealedDir, name.folder),
      day: name.day,
      path,
      rowCount: rowCount!,
      byteLength: size,
      crc32,
      minTime: minTime!,
      maxTime: maxTime!,
      minSeries: minSeries!,
      maxSeries: maxSeries!,
      sealedTime: Math.floor(mtimeMs * 1000),
      damage: null,
    };
  } catch (error) {
    return `it cannot be read: ${messageOf(error).split('\n')[0]}`;
  }
}

/** The folder tells it where it is short enough; else the list of series beside the files does. */
async function organizationOf(connection: DuckDBConnection, sealedDir: string, folder: string): Promise<string> {
  const name = basename(folder).slice('org='.length);
  const decoded = Buffer.from(/^0x((?:[0-9a-f]{2})+)$/.exec(name)?.[1] ?? '', 'hex').toString();
  for (const id of ['', decoded, name]) if (organizationFolder(id) === folder) return id;
  const list = join(sealedDir, folder, SERIES_FILE);
  const rows = await connection.run(`SELECT organization_id FROM read_parquet(${quote(list)}) LIMIT 1`);
  return String((await rows.getRows())[0]?.[0]);
}
