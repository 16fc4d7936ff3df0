/** System door: series that a telemetry store has samples of, told to a catalog that was restored from an older copy. Idempotent. */
import type { StoredSeries } from '@fieldline/model';
import { sql } from 'drizzle-orm';
import type { Database } from '../database/database.ts';
import { integerArray, jsonArray, textArray, uuidArray } from './arrays.ts';

const PER_STATEMENT = 10_000;

/** Takes in those whose device is there, with their ids, and gives no id up to `highestId` to another one. Returns how many it took in. */
export async function restoreSeries(
  database: Database,
  list: readonly StoredSeries[],
  highestId: number,
): Promise<number> {
  return database.transaction('system', async (queries) => {
    // nextval never goes back, whatever other processes do meanwhile.
    await queries.execute(sql`
      select count(nextval('fieldline.series_id_seq'))
      from generate_series(1, ${highestId}::bigint - (select last_value from fieldline.series_id_seq))`);
    let restored = 0;
    for (let from = 0; from < list.length; from += PER_STATEMENT) {
      const part = list.slice(from, from + PER_STATEMENT);
      const result = await queries.execute(sql`
        insert into fieldline.series
          (id, organization_id, subject_kind, subject_id, device_id, metric_key, value_kind, unit, metadata)
        overriding system value
        select r.id, d.organization_id, 'device', d.id, d.id, r.metric_key, r.value_kind, r.unit, r.metadata
        from unnest(
          ${integerArray(part.map(({ id }) => id))}, ${uuidArray(part.map(({ organizationId }) => organizationId))},
          ${uuidArray(part.map(({ subjectId }) => subjectId))}, ${textArray(part.map(({ metricKey }) => metricKey))},
          ${textArray(part.map(({ valueKind }) => valueKind))}, ${textArray(part.map(({ unit }) => unit))},
          ${jsonArray(part.map(({ metadata }) => metadata))}
        ) as r (id, organization_id, subject_id, metric_key, value_kind, unit, metadata)
        join fieldline.devices d on d.id = r.subject_id and d.organization_id = r.organization_id
        order by r.id
        on conflict do nothing`);
      restored += result.rowCount ?? 0;
    }
    return restored;
  });
}
