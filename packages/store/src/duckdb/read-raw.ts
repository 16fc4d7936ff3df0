/**
 * Samples as they are: plan (which days, how many at a time), query, split by series. Days are read in steps that double,
 * from the end that was asked for, until every series has its limit; so a short page of a long range stays cheap.
 */
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_DAY } from '@fieldline/model';
import type { RawQuery, SampleColumns } from '../store.ts';
import { asDoubles } from './aggregate-sql.ts';
import { fetchTable, type Table } from './chunks.ts';
import { guardedRead } from './guarded-read.ts';
import type { Layout, Selection } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import type { StoreState } from './state.ts';
import { requireSound } from './verify-files.ts';

export const SERIES_PER_QUERY_MAX = 10_000;

/** Series ids without repetitions; BAD_REQUEST where there are too many or one is not an id. */
export function checkedSeries(seriesIds: readonly number[]): number[] {
  if (seriesIds.length > SERIES_PER_QUERY_MAX) {
    throw new FieldlineError(
      'BAD_REQUEST',
      `the query names ${seriesIds.length} series; at most ${SERIES_PER_QUERY_MAX} go into one`,
    );
  }
  for (const id of seriesIds) {
    if (!Number.isInteger(id) || Math.abs(id) > 0x7fffffff) {
      throw new FieldlineError('BAD_REQUEST', `${id} is not a series id`);
    }
  }
  return [...new Set(seriesIds)];
}

export async function readRaw(state: StoreState, query: RawQuery): Promise<SampleColumns[]> {
  const seriesIds = checkedSeries(query.seriesIds);
  const parts = new Map(seriesIds.map((id) => [id, [] as SampleColumns[]]));
  const counts = new Map(seriesIds.map((id) => [id, 0]));
  const descending = query.order === 'desc';
  await guardedRead(state, async (layout) => {
    for (const { from, to } of daySteps(layout, query, descending)) {
      const open = seriesIds.filter((id) => counts.get(id)! < query.limit);
      if (open.length === 0) break;
      const table = await fetchStep(state, layout, { seriesIds: open, from, to }, query.limit, descending);
      for (const columns of splitBySeries(table)) {
        parts.get(columns.seriesId)!.push(columns);
        counts.set(columns.seriesId, counts.get(columns.seriesId)! + columns.sourceTime.length);
      }
    }
  });
  return query.seriesIds.map((id) => {
    const found = parts.get(id)!;
    return joined(id, descending ? found.toReversed() : found, query.limit, descending);
  });
}

/** Spans of 1, 2, 4, … days that hold samples, clipped to the range. */
export function* daySteps(
  layout: Layout,
  range: { from: number; to: number },
  descending: boolean,
  firstDays = 1,
): Generator<{ from: number; to: number }> {
  const days = layout.days(range.from, range.to);
  if (descending) days.reverse();
  for (let at = 0, size = firstDays; at < days.length; at += size, size *= 2) {
    const step = days.slice(at, at + size);
    const [low, high] = [Math.min(step[0]!, step.at(-1)!), Math.max(step[0]!, step.at(-1)!)];
    yield {
      from: Math.max(range.from, low * MICROS_PER_DAY),
      to: Math.min(range.to, (high + 1) * MICROS_PER_DAY),
    };
  }
}

/** SQL of the samples of a selection, looking for winners only where there may be several. */
export function selectionSql(state: StoreState, layout: Layout, selection: Selection): string {
  const sources = {
    sealedDir: state.sealedDir,
    generations: layout.generationsOf(selection),
    files: layout.filesOf(selection),
  };
  return samplesSql(sources, selection, state.late.touches(selection.seriesIds, selection.from, selection.to));
}

async function fetchStep(
  state: StoreState,
  layout: Layout,
  selection: Selection,
  limit: number,
  descending: boolean,
): Promise<Table> {
  await requireSound(state, layout.filesOf(selection));
  const samples = selectionSql(state, layout, selection);
  const direction = descending ? 'DESC' : 'ASC';
  const bounded =
    selection.seriesIds?.length === 1
      ? `SELECT * FROM (${samples}) ORDER BY source_time ${direction} LIMIT ${limit}`
      : `SELECT * FROM (${samples}) QUALIFY row_number() OVER
         (PARTITION BY series_id ORDER BY source_time ${direction}) <= ${limit}`;
  const columns = asDoubles(['series_id', 'source_time', 'received_time', 'value', 'quality']);
  const sql = `SELECT ${columns}, text FROM (${bounded}) AS samples ORDER BY samples.series_id, samples.source_time`;
  return state.session.read((connection) => fetchTable(connection, sql, true));
}

function splitBySeries(table: Table): SampleColumns[] {
  const [series, sourceTime, receivedTime, value, quality] = table.columns as Float64Array[];
  const found: SampleColumns[] = [];
  for (let start = 0; start < table.rowCount; ) {
    let end = start + 1;
    while (end < table.rowCount && series![end] === series![start]) end += 1;
    const texts = new Map<number, string>();
    if (table.texts.size > 0) {
      for (let row = start; row < end; row += 1) {
        const text = table.texts.get(row);
        if (text !== undefined) texts.set(row - start, text);
      }
    }
    found.push({
      seriesId: series![start]!,
      sourceTime: sourceTime!.slice(start, end),
      receivedTime: receivedTime!.slice(start, end),
      value: value!.slice(start, end),
      quality: Uint8Array.from(quality!.subarray(start, end)),
      texts: texts.size === 0 ? null : texts,
    });
    start = end;
  }
  return found;
}

/** Consecutive parts as one, cut to the limit at the end that was read last. */
function joined(seriesId: number, parts: readonly SampleColumns[], limit: number, descending: boolean): SampleColumns {
  const total = parts.reduce((sum, part) => sum + part.sourceTime.length, 0);
  const count = Math.min(total, limit);
  const skip = descending ? total - count : 0;
  if (parts.length === 1 && total === count) return parts[0]!;
  const column = (of: (part: SampleColumns) => Float64Array | Uint8Array): Float64Array => {
    const all = new Float64Array(total);
    let at = 0;
    for (const part of parts) {
      all.set(of(part), at);
      at += part.sourceTime.length;
    }
    return all.slice(skip, skip + count);
  };
  const texts = new Map<number, string>();
  let at = -skip;
  for (const part of parts) {
    for (const [row, text] of part.texts ?? []) if (at + row >= 0 && at + row < count) texts.set(at + row, text);
    at += part.sourceTime.length;
  }
  return {
    seriesId,
    sourceTime: column((part) => part.sourceTime),
    receivedTime: column((part) => part.receivedTime),
    value: column((part) => part.value),
    quality: Uint8Array.from(column((part) => part.quality)),
    texts: texts.size === 0 ? null : texts,
  };
}
