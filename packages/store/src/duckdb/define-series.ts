/** What each series is: in the database, in memory (its organisation), and as a Parquet file beside its organisation's samples. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeriesDefinition } from '@fieldline/model';
import { quote, storeError, transaction } from './session.ts';
import type { StoreState } from './state.ts';
import { finish, organizationFolder, UNFINISHED } from './write-parquet.ts';

const SERIES_PER_STATEMENT = 200;

export async function defineSeries(state: StoreState, series: readonly SeriesDefinition[]): Promise<void> {
  const { writer } = state.session;
  const unique = [...new Map(series.map((each) => [each.id, each])).values()];
  try {
    await transaction(writer, async () => {
      for (let from = 0; from < unique.length; from += SERIES_PER_STATEMENT) {
        const part = unique.slice(from, from + SERIES_PER_STATEMENT);
        const rows = part.map(
          (_, row) => `(${Array.from({ length: 8 }, (__, column) => `$${row * 8 + column + 1}`).join(', ')})`,
        );
        await writer.run(`INSERT OR REPLACE INTO series VALUES ${rows.join(', ')}`, part.flatMap(columnsOf));
      }
    });
  } catch (error) {
    throw storeError(`defining ${unique.length} series`, error);
  }
  for (const { id, organizationId } of unique) {
    state.organizations.set(id, organizationId);
    state.seriesChanged.add(organizationId);
  }
}

function columnsOf(series: SeriesDefinition): (string | number)[] {
  const { id, organizationId, subjectKind, subjectId, metricKey, valueKind, unit, metadata } = series;
  return [id, organizationId, subjectKind, subjectId, metricKey, valueKind, unit, JSON.stringify(metadata)];
}

/** Writes series.parquet of each organisation whose series have changed and that has sealed samples. */
export async function exportSeries(state: StoreState): Promise<void> {
  const connection = state.session.background;
  const sealed = new Set(state.layout.current.files.map((file) => file.organizationId));
  for (const organizationId of [...state.seriesChanged].filter((id) => sealed.has(id))) {
    state.seriesChanged.delete(organizationId);
    const folder = join(state.sealedDir, organizationFolder(organizationId));
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'series.parquet');
    await connection.run('CREATE OR REPLACE TEMP TABLE exported AS SELECT * FROM series WHERE false');
    await connection.run('INSERT INTO exported SELECT * FROM series WHERE organization_id = $1', [organizationId]);
    await connection.run(`COPY (SELECT id AS series_id, * EXCLUDE (id) FROM exported ORDER BY id)
      TO ${quote(path + UNFINISHED)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`);
    await finish(path);
  }
}
