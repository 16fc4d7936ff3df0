/** Which series a store that nobody has open has samples of, and what they mean there: to be compared with what the catalog says. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredSeries } from '@fieldline/model';
import { withDatabase } from './inspect-store.ts';

export type SeriesMeaning = Pick<StoredSeries, 'id' | 'organizationId' | 'subjectId' | 'metricKey'>;

/** None where there is no database, or a new one. The database must have been found sound. */
export async function inspectSeries(dir: string): Promise<SeriesMeaning[]> {
  const path = join(dir, 'store.duckdb');
  if (!existsSync(path)) return [];
  let series: SeriesMeaning[] = [];
  await withDatabase(path, async (connection) => {
    const tables = await (await connection.run("SELECT 1 FROM duckdb_tables() WHERE table_name = 'series'")).getRows();
    if (tables.length === 0) return;
    const sql = 'SELECT id, organization_id, subject_id, metric_key FROM series ORDER BY id';
    series = (await (await connection.run(sql)).getRows()).map(([id, organizationId, subjectId, metricKey]) => ({
      id: Number(id),
      organizationId: String(organizationId),
      subjectId: String(subjectId),
      metricKey: String(metricKey),
    }));
  });
  return series;
}
