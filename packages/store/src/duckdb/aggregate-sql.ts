/**
 * SQL that turns samples into buckets and buckets into wider ones. A bucket is mergeable: count, mean and sum of squared
 * deviations (Chan, Golub, LeVeque), least and greatest with their times, first and last with theirs, good and total.
 */
import { SQUARE_MAGNITUDE_MAX } from '../reduction.ts';

export const BUCKET_COLUMNS = 'n, mean, m2, mn, mn_t, mx, mx_t, first, first_t, last, last_t, good, total';

/**
 * Buckets of samples. `bucket` is an expression over source_time. `times` also finds when the least and the greatest came
 * first, for which samples are looked through twice: kept in between where they are few, else scanned again; with 'none'
 * those times are null.
 */
export function bucketsOfSamples(samples: string, bucket: string, times: 'none' | 'kept' | 'scanned'): string {
  const numbers = `SELECT series_id, ${bucket} AS bucket, source_time AS t, quality,
    CASE WHEN (quality & 64) <> 0 AND NOT isnan(value) THEN value END AS v FROM (${samples})`;
  const limit = `${SQUARE_MAGNITUDE_MAX}::DOUBLE`;
  const groups = `SELECT series_id, bucket, count(v) AS n, avg(v) AS mean,
    CASE WHEN max(abs(v)) >= ${limit} THEN 'Infinity'::DOUBLE
      ELSE count(v) * var_pop(CASE WHEN abs(v) < ${limit} THEN v END) END AS m2,
    min(v) AS mn, NULL::BIGINT AS mn_t, max(v) AS mx, NULL::BIGINT AS mx_t,
    arg_min(v, t) AS first, min(t) FILTER (WHERE v IS NOT NULL) AS first_t,
    arg_max(v, t) AS last, max(t) FILTER (WHERE v IS NOT NULL) AS last_t,
    count(*) FILTER (WHERE quality >= 192) AS good, count(*) AS total
    FROM ${times === 'none' ? `(${numbers})` : 'numbers'} GROUP BY series_id, bucket`;
  if (times === 'none') return groups;
  return `WITH numbers AS ${times === 'kept' ? '' : 'NOT '}MATERIALIZED (${numbers}), groups AS MATERIALIZED (${groups}),
    times AS (SELECT numbers.series_id, numbers.bucket, min(t) FILTER (WHERE v = groups.mn) AS mn_t,
      min(t) FILTER (WHERE v = groups.mx) AS mx_t FROM numbers JOIN groups USING (series_id, bucket)
      WHERE v IS NOT NULL GROUP BY ALL)
    SELECT groups.series_id, groups.bucket, n, mean, m2, mn, times.mn_t AS mn_t, mx, times.mx_t AS mx_t, first, first_t,
      last, last_t, good, total FROM groups LEFT JOIN times USING (series_id, bucket)`;
}

/** Merges rows (series_id, bucket, BUCKET_COLUMNS) of equal bucket into one. */
export function mergedBuckets(parts: string): string {
  return `WITH parts AS MATERIALIZED (${parts}),
    whole AS MATERIALIZED (SELECT series_id, bucket, sum(n) AS n, sum(n * mean) / nullif(sum(n), 0) AS mean, min(mn) AS mn,
      max(mx) AS mx FROM parts GROUP BY series_id, bucket)
    SELECT parts.series_id, parts.bucket, any_value(whole.n) AS n, any_value(whole.mean) AS mean,
      sum(parts.m2 + parts.n * (parts.mean - whole.mean) * (parts.mean - whole.mean)) AS m2,
      any_value(whole.mn) AS mn, min(parts.mn_t) FILTER (WHERE parts.mn = whole.mn) AS mn_t,
      any_value(whole.mx) AS mx, min(parts.mx_t) FILTER (WHERE parts.mx = whole.mx) AS mx_t,
      arg_min(parts.first, parts.first_t) AS first, min(parts.first_t) AS first_t,
      arg_max(parts.last, parts.last_t) AS last, max(parts.last_t) AS last_t,
      sum(parts.good) AS good, sum(parts.total) AS total
    FROM parts JOIN whole USING (series_id, bucket) GROUP BY parts.series_id, parts.bucket`;
}

/** Columns as DOUBLE NOT NULL (NaN for null), as fetchTable() wants them. */
export function asDoubles(columns: readonly string[]): string {
  return columns.map((column) => `coalesce(${column}::DOUBLE, 'NaN'::DOUBLE) AS ${column}`).join(', ');
}
