/**
 * The database's tables and how an older format becomes the present one. Samples themselves stand in hot tables
 * (hot-tables.ts; made and dropped as samples come and are sealed) and in Parquet files that the table `files` lists.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { FieldlineError } from '@fieldline/kit';
import { transaction } from './session.ts';

/** Roll-up tables from fine to coarse, with the length of a cell. '1d' holds UTC days, only where the hours are gone. */
export const ROLL_UP_LEVELS = [
  { name: '1m', table: 'rollup_1m', cellMicros: 60_000_000 },
  { name: '15m', table: 'rollup_15m', cellMicros: 900_000_000 },
  { name: '1h', table: 'rollup_1h', cellMicros: 3_600_000_000 },
  { name: '1d', table: 'rollup_1d', cellMicros: 86_400_000_000 },
] as const;

const ROLL_UP_COLUMNS = `series_id INTEGER, start BIGINT, n BIGINT, mean DOUBLE, m2 DOUBLE, mn DOUBLE, mn_t BIGINT,
  mx DOUBLE, mx_t BIGINT, first DOUBLE, first_t BIGINT, last DOUBLE, last_t BIGINT, good BIGINT, total BIGINT`;

/** Each entry brings the format from its index to the next. Never change one that was released; append. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE positions (topic VARCHAR, partition INTEGER, epoch BIGINT, next BIGINT)`,
    `CREATE TABLE series (id INTEGER PRIMARY KEY, organization_id VARCHAR, subject_kind VARCHAR, subject_id VARCHAR,
       metric_key VARCHAR, value_kind VARCHAR, unit VARCHAR, metadata VARCHAR)`,
    // sealed: its rows are in files; the table is dropped as soon as no query needs it
    `CREATE TABLE generations (id INTEGER, created_time BIGINT, sealed BOOLEAN)`,
    `CREATE TABLE files (id INTEGER, generation INTEGER, organization_id VARCHAR, day INTEGER, path VARCHAR,
       row_count BIGINT, byte_length BIGINT, crc32 BIGINT, min_time BIGINT, max_time BIGINT, min_series INTEGER,
       max_series INTEGER, sealed_time BIGINT, damage VARCHAR)`,
    // series that may hold several rows of one source time in this hour; the newest generation that brought one
    `CREATE TABLE late_cells (hour INTEGER, series_id INTEGER, generation INTEGER)`,
    `CREATE TABLE rolled_hours (hour INTEGER)`,
    `CREATE TABLE stale_cells (hour INTEGER, series_id INTEGER)`,
    `CREATE TABLE dropped_days (day INTEGER)`,
    `CREATE TABLE hours_dropped_before (day INTEGER)`,
    ...ROLL_UP_LEVELS.map(({ table }) => `CREATE TABLE ${table} (${ROLL_UP_COLUMNS})`),
    `CREATE TABLE latest (series_id INTEGER PRIMARY KEY, source_time BIGINT, received_time BIGINT, value DOUBLE,
       quality UTINYINT, version BIGINT, text VARCHAR)`,
  ],
  // the hot rows of a generation stand in so many tables (hot-tables.ts)
  ['ALTER TABLE generations ADD COLUMN shards INTEGER DEFAULT 1'],
];

export const FORMAT_VERSION = MIGRATIONS.length;

/** Brings a new or older database to the present format. FORMAT_TOO_NEW where a newer program wrote it. */
export async function migrate(connection: DuckDBConnection): Promise<void> {
  await connection.run('CREATE TABLE IF NOT EXISTS format (version INTEGER)');
  const rows = await (await connection.run('SELECT version FROM format')).getRows();
  const version = Number(rows[0]?.[0] ?? 0);
  if (version > FORMAT_VERSION) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `the store has format ${version}, this program knows ${FORMAT_VERSION}; start the newer version again`,
    );
  }
  for (let next = version; next < FORMAT_VERSION; next += 1) {
    await transaction(connection, async () => {
      for (const statement of MIGRATIONS[next]!) await connection.run(statement);
      await connection.run('DELETE FROM format');
      await connection.run(`INSERT INTO format VALUES (${next + 1})`);
    });
  }
}
