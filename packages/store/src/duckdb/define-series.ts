/** What each series is: in the database, in memory (its organisation), and as a Parquet file beside its organisation's samples. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SeriesDefinition, StoredSeries } from '@fieldline/model';
import type { DefinedSeries } from '../store.ts';
import { quote, storeError, transaction } from './session.ts';
import type { StoreState } from './state.ts';
import { finish, makeFolder, organizationFolder, UNFINISHED } from './write-parquet.ts';

const SERIES_PER_STATEMENT = 200;

/** Takes over what is new or has changed; what is told again as it was costs a checksum. */
export async function defineSeries(state: StoreState, series: readonly SeriesDefinition[]): Promise<void> {
  const { writer } = state.session;
  const unique = [...new Map(series.map((each) => [each.id, each])).values()]
    .map((definition) => ({ definition, columns: columnsOf(definition) }))
    .filter(({ definition, columns }) => state.seriesChecksums.get(definition.id) !== checksumOf(columns));
  if (unique.length === 0) return;
  const known = unique.filter(({ definition }) => state.seriesChecksums.has(definition.id));
  const added = unique.filter(({ definition }) => !state.seriesChecksums.has(definition.id));
  try {
    await transaction(writer, async () => {
      for (let from = 0; from < known.length; from += SERIES_PER_STATEMENT) {
        const part = known.slice(from, from + SERIES_PER_STATEMENT);
        const rows = part.map(
          (_, row) => `(${Array.from({ length: 8 }, (__, column) => `$${row * 8 + column + 1}`).join(', ')})`,
        );
        await writer.run(
          `INSERT OR REPLACE INTO series VALUES ${rows.join(', ')}`,
          part.flatMap(({ columns }) => columns),
        );
      }
      if (added.length > 0) await appendRows(writer, added);
    });
  } catch (error) {
    throw storeError(`defining ${unique.length} series`, error);
  }
  for (const { definition, columns } of unique) {
    state.organizations.set(definition.id, definition.organizationId);
    state.seriesChecksums.set(definition.id, checksumOf(columns));
    state.seriesChanged.add(definition.organizationId);
  }
}

/** Everything that was ever defined here; files that a new database has taken over may know ids that it does not. */
export async function definedSeries({ session }: StoreState): Promise<DefinedSeries> {
  try {
    const rows = await (await session.writer.run('SELECT * FROM series ORDER BY id')).getRowObjects();
    const highest = await (
      await session.writer.run(
        'SELECT greatest((SELECT max(id) FROM series), (SELECT max(max_series) FROM files), (SELECT max(series_id) FROM latest)) AS id',
      )
    ).getRowObjects();
    return { series: rows.map(asSeries), highestId: Number(highest[0]?.id ?? 0) };
  } catch (error) {
    throw storeError('reading the definitions of series', error);
  }
}

function asSeries(row: Readonly<Record<string, unknown>>): StoredSeries {
  return {
    id: Number(row.id),
    organizationId: String(row.organization_id),
    subjectKind: row.subject_kind as StoredSeries['subjectKind'],
    subjectId: String(row.subject_id),
    metricKey: String(row.metric_key),
    valueKind: row.value_kind as StoredSeries['valueKind'],
    unit: String(row.unit),
    metadata: JSON.parse(String(row.metadata)) as StoredSeries['metadata'],
  };
}

type SeriesColumns = readonly [id: number, ...texts: string[]];

async function appendRows(
  writer: StoreState['session']['writer'],
  rows: readonly { readonly columns: SeriesColumns }[],
): Promise<void> {
  const appender = await writer.createAppender('series');
  for (const { columns } of rows) {
    const [id, ...texts] = columns;
    appender.appendInteger(id);
    for (const text of texts) appender.appendVarchar(text);
    appender.endRow();
  }
  appender.closeSync();
}

function columnsOf(series: SeriesDefinition): SeriesColumns {
  const { id, organizationId, subjectKind, subjectId, metricKey, valueKind, unit, metadata } = series;
  return [id, organizationId, subjectKind, subjectId, metricKey, valueKind, unit, JSON.stringify(metadata)];
}

/** Of the columns of a row in `series`, to tell whether a definition is the stored one. */
export function checksumOf(columns: readonly unknown[]): number {
  return crc32(columns.join('\0'));
}

/** Writes series.parquet of each organisation whose series have changed and that has sealed samples. */
export async function exportSeries(state: StoreState): Promise<void> {
  const connection = state.session.background;
  const sealed = new Set(state.layout.current.files.map((file) => file.organizationId));
  for (const organizationId of [...state.seriesChanged].filter((id) => sealed.has(id))) {
    state.seriesChanged.delete(organizationId);
    const folder = join(state.sealedDir, organizationFolder(organizationId));
    await makeFolder(state.sealedDir, folder);
    const unfinished = join(folder, `series${UNFINISHED}`);
    await connection.run('CREATE OR REPLACE TEMP TABLE exported AS SELECT * FROM series WHERE false');
    await connection.run('INSERT INTO exported SELECT * FROM series WHERE organization_id = $1', [organizationId]);
    await connection.run(`COPY (SELECT id AS series_id, * EXCLUDE (id) FROM exported ORDER BY id)
      TO ${quote(unfinished)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`);
    await finish(unfinished, () => '.parquet');
  }
}
