/**
 * Samples of one organisation and day into a Parquet file that other tools read: zstd, sorted by series and time, delta
 * encoded. Written under another name, checked, flushed and only then renamed, so that a name that ends in .parquet is
 * always a whole file. The name tells what the list of sealed files does, should that be lost: <generation>-<id>-<CRC-32>.
 *
 *   series_id           INT32      sorted first
 *   source_time         TIMESTAMP  microseconds, UTC; sorted second
 *   received_delay      INT64      received time − source time, in units of received_delay_unit microseconds
 *   received_delay_unit INT32      1000 where every delay of the series is whole milliseconds, else 1
 *   value               DOUBLE     where the series is not decimal (and for −0)
 *   value_scaled        INT64      where it is: the value is value_scaled / value_divisor
 *   value_divisor       INT32      1, 10, … 1,000,000; the same for a series in one file
 *   quality             INT32      OPC quality byte
 *   version             INT64      log position that brought the sample
 *   text                STRING     where the sample is a text
 *
 * A series is decimal in a file where every value comes back from the quotient bit for bit. Deltas of such integers take a
 * byte or so; a double takes two or three.
 */
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { openDiskFile, syncDirectory } from '@fieldline/kit';
import type { Micros } from '@fieldline/model';
import { asDoubles } from './aggregate-sql.ts';
import { fetchTable } from './chunks.ts';
import type { SealedFile } from './layout.ts';
import { integer, quote } from './session.ts';
import { fileCrc32 } from './verify-files.ts';

const DIVISORS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
/** Below, value × divisor is off by less than a half, so rounding finds the very integer. */
const SCALED_MAX = 1e15;
const OPTIONS = `FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1, ROW_GROUP_SIZE 61440,
  USE_TMP_FILE false, KV_METADATA {fieldline_format: '1',
  value: 'coalesce(value, value_scaled / value_divisor)',
  received_time: 'source_time + received_delay * received_delay_unit microseconds'}`;
export const UNFINISHED = '.unfinished';

export interface ParquetTarget {
  readonly sealedDir: string;
  readonly id: number;
  readonly generation: number;
  readonly organizationId: string;
  readonly day: number;
  readonly sealedTime: Micros;
}

/** Writes what `samples` (SQL, see samples-sql.ts) gives; null where that is nothing. */
export async function writeParquet(
  connection: DuckDBConnection,
  samples: string,
  target: ParquetTarget,
): Promise<SealedFile | null> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE encodings AS ${encodingsSql(samples)}`);
  const statistics = ['sum(n)', 'min(min_time)', 'max(max_time)', 'min(series_id)', 'max(series_id)'];
  const { columns } = await fetchTable(
    connection,
    `SELECT ${statistics.map((each, index) => asDoubles([each]).replace(/ AS .*$/, ` AS c${index}`)).join(', ')} FROM encodings`,
  );
  const [rowCount, minTime, maxTime, minSeries, maxSeries] = columns.map((column) => column[0]!);
  if (!(rowCount! > 0)) return null;
  const unfinished = join(target.sealedDir, beginningOf(target)) + UNFINISHED;
  await makeFolder(target.sealedDir, dirname(unfinished));
  await connection.run(`COPY (${encodedSql(samples)}) TO ${quote(unfinished)} (${OPTIONS})`);
  const { full, byteLength, crc32 } = await finish(unfinished, (sum) => `-${hex(sum)}.parquet`);
  return {
    id: target.id,
    generation: target.generation,
    organizationId: target.organizationId,
    day: target.day,
    path: relative(target.sealedDir, full),
    rowCount: rowCount!,
    byteLength,
    crc32,
    minTime: minTime!,
    maxTime: maxTime!,
    minSeries: minSeries!,
    maxSeries: maxSeries!,
    sealedTime: target.sealedTime,
    damage: null,
  };
}

/**
 * For each series the smallest divisor that gives every value back, and the unit of its delays. A value that is n / 10^j as
 * a double is also (n · 10^i) / 10^(j + i) as a double, so the largest of the values' own divisors serves all of them.
 */
function encodingsSql(samples: string): string {
  const fits = DIVISORS.map((divisor, index) => `WHEN round(value * ${divisor}) / ${divisor} = value THEN ${index}`);
  const choice = DIVISORS.map(
    (divisor, index) => `WHEN digits = ${index} AND magnitude < ${SCALED_MAX / divisor} THEN ${divisor}`,
  );
  return `SELECT series_id, (CASE ${choice.join(' ')} END)::INTEGER AS divisor, delay_unit, n, min_time, max_time FROM (
    SELECT series_id, max(CASE WHEN isnan(value) THEN 0 ${fits.join(' ')} ELSE 99 END) AS digits,
      coalesce(max(abs(value)) FILTER (WHERE NOT isnan(value)), 0) AS magnitude,
      (CASE WHEN bool_and((received_time - source_time) % 1000 = 0) THEN 1000 ELSE 1 END)::INTEGER AS delay_unit,
      count(*) AS n, min(source_time) AS min_time, max(source_time) AS max_time
    FROM (${samples}) GROUP BY series_id)`;
}

function encodedSql(samples: string): string {
  // make_timestamptz(µs) reads as it stands; a cast from TIMESTAMP would ask the calendar of the zone for every row.
  // −0 equals 0 but is not the same double, and an integer has no −0: such a row alone is a double.
  const minusZero = '(s.value = 0 AND signbit(s.value))';
  return `SELECT s.series_id AS series_id, make_timestamptz(s.source_time) AS source_time,
    (s.received_time - s.source_time) // e.delay_unit AS received_delay, e.delay_unit AS received_delay_unit,
    CASE WHEN NOT isnan(s.value) AND (e.divisor IS NULL OR ${minusZero}) THEN s.value END AS value,
    CASE WHEN NOT isnan(s.value) AND e.divisor IS NOT NULL AND NOT ${minusZero} THEN round(s.value * e.divisor)::BIGINT END AS value_scaled,
    coalesce(e.divisor, 1) AS value_divisor, s.quality::INTEGER AS quality, s.version AS version, s.text AS text
    FROM (${samples}) AS s JOIN encodings AS e USING (series_id) ORDER BY s.series_id, s.source_time`;
}

function beginningOf({ organizationId, day, generation, id }: ParquetTarget): string {
  const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
  return join(organizationFolder(organizationId), `day=${date}`, `${integer(generation)}-${integer(id)}`);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

/** Folder of an organisation: its id where that is a safe name, else the bytes in hex. */
export function organizationFolder(organizationId: string): string {
  if (organizationId === '') return 'org=none';
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(organizationId)) return `org=${organizationId}`;
  return `org=0x${Buffer.from(organizationId).toString('hex').slice(0, 128)}`;
}

/** A folder below the sealed one. Also where it is there: whoever made it may have been cut off before its name was flushed. */
export async function makeFolder(sealedDir: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let made = folder; made !== sealedDir; made = dirname(made)) await syncDirectory(dirname(made));
}

/** Flushes the unfinished file, gives it a name with this ending and makes the name durable. */
export async function finish(
  unfinished: string,
  endingOf: (crc32: number) => string,
): Promise<{ full: string; byteLength: number; crc32: number }> {
  const file = await openDiskFile(unfinished, 'existing');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  const crc32 = await fileCrc32(unfinished);
  const full = unfinished.slice(0, -UNFINISHED.length) + endingOf(crc32);
  await rename(unfinished, full);
  await syncDirectory(dirname(full));
  return { full, byteLength: (await stat(full)).size, crc32 };
}
