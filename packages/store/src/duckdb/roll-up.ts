/**
 * Roll-ups: hours that are over get cells of a minute, a quarter and an hour. Cells that later samples have made stale are
 * computed anew. A job covers hours of one day, in slices of series that are each one short transaction, so that sealing is
 * not kept waiting; samples that come while it runs make cells stale again. Hours count as rolled up after the last slice; an
 * interrupted job begins again, and first removes what it wrote.
 */
import { MICROS_PER_HOUR, MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { BUCKET_COLUMNS, bucketsOfSamples, mergedBuckets } from './aggregate-sql.ts';
import type { Layout } from './layout.ts';
import { selectionSql } from './read-raw.ts';
import { seriesSql } from './samples-sql.ts';
import { ROLL_UP_LEVELS } from './schema.ts';
import { keepStaleCells } from './seal.ts';
import { integer, transaction } from './session.ts';
import type { StoreState } from './state.ts';
import { requireSound } from './verify-files.ts';

/** Stale series that are computed anew one by one; with more the whole hours are. */
const SERIES_PER_JOB_MAX = 2000;

export interface RollUpJob {
  readonly hours: readonly number[];
  /** null = every series. */
  readonly seriesIds: readonly number[] | null;
}

export interface RollUpProgress {
  readonly job: RollUpJob;
  /** Appends at the start: cells that became stale later stay so. */
  readonly stamp: number;
  /** Series ids at which slices begin. */
  readonly bounds: readonly number[];
  slice: number;
}

/** Does a slice of the job under way, or else of the most urgent one; false where there is none. */
export async function rollUpOnce(state: StoreState, now: Micros): Promise<boolean> {
  state.rollUps.progress ??= startJob(state, now);
  const { progress } = state.rollUps;
  if (progress === null) return false;
  const lease = state.layout.lease();
  try {
    await rollUpSlice(state, lease.layout, progress);
  } catch (error) {
    endJob(state, progress.job);
    throw error;
  } finally {
    lease.release();
  }
  return true;
}

function startJob(state: StoreState, now: Micros): RollUpProgress | null {
  const job = newHours(state, now) ?? staleHours(state, now);
  if (job === null) return null;
  for (const hour of job.hours) state.rollUps.rolling.add(hour);
  return { job, stamp: state.rollUps.appends, bounds: sliceBounds(state, job), slice: 0 };
}

function endJob(state: StoreState, job: RollUpJob): void {
  for (const hour of job.hours) state.rollUps.rolling.delete(hour);
  state.rollUps.progress = null;
}

/** Series ids that cut the job into slices; one slice where it is small or of named series. */
function sliceBounds(state: StoreState, { hours, seriesIds }: RollUpJob): number[] {
  if (seriesIds !== null) return [-Infinity];
  const from = hours[0]! * MICROS_PER_HOUR;
  const to = (hours.at(-1)! + 1) * MICROS_PER_HOUR;
  let rows = 0;
  for (const { minTime, maxTime, rowCount } of state.layout.current.files) {
    const overlap = Math.min(to, maxTime + 1) - Math.max(from, minTime);
    if (overlap > 0) rows += rowCount * (overlap / (maxTime + 1 - minTime));
  }
  const ids = state.latest.seriesIds();
  const count = Math.max(1, Math.min(ids.length, Math.ceil(rows / state.settings.rollUpRowsMax)));
  return Array.from({ length: count }, (_, slice) =>
    slice === 0 ? -Infinity : ids[Math.floor((slice * ids.length) / count)]!,
  );
}

/** Hours of one day that are over, have samples and no roll-up. */
function newHours(state: StoreState, now: Micros): RollUpJob | null {
  const { rolled, droppedDays } = state.rollUps;
  const end = endOfRollUps(state, now);
  const hours = new Set<number>();
  const consider = (hour: number): void => {
    if (hour < end && !rolled.has(hour) && !droppedDays.has(Math.floor(hour / 24))) hours.add(hour);
  };
  for (const generation of state.layout.current.generations) for (const hour of generation.hours) consider(hour);
  for (const { minTime, maxTime, damage } of state.layout.current.files) {
    if (damage !== null) continue;
    const last = Math.floor(maxTime / MICROS_PER_HOUR);
    for (let hour = Math.floor(minTime / MICROS_PER_HOUR); hour <= last; hour += 1) consider(hour);
  }
  return ofOneDay(hours, null);
}

function staleHours(state: StoreState, now: Micros): RollUpJob | null {
  const { stale, rolled, droppedDays } = state.rollUps;
  const end = endOfRollUps(state, now);
  // Samples that came after their day was dropped do not bring its roll-ups back.
  stale.remove((hour) => droppedDays.has(Math.floor(hour / 24)));
  const cells = [...stale.entries()].filter(([hour]) => hour < end && rolled.has(hour));
  if (cells.length === 0) return null;
  const day = Math.min(...cells.map(([hour]) => Math.floor(hour / 24)));
  const ofDay = cells.filter(([hour]) => Math.floor(hour / 24) === day);
  const seriesIds = [...new Set(ofDay.map(([, seriesId]) => seriesId))];
  return ofOneDay(new Set(ofDay.map(([hour]) => hour)), seriesIds.length > SERIES_PER_JOB_MAX ? null : seriesIds);
}

/** The first hour that is not to be rolled up yet. */
function endOfRollUps(state: StoreState, now: Micros): number {
  return Math.floor((now - state.settings.rollUpAfterMs * MICROS_PER_MILLI) / MICROS_PER_HOUR);
}

function ofOneDay(hours: ReadonlySet<number>, seriesIds: readonly number[] | null): RollUpJob | null {
  if (hours.size === 0) return null;
  let first = Infinity;
  for (const hour of hours) first = Math.min(first, hour);
  const day = Math.floor(first / 24);
  return { hours: [...hours].filter((hour) => Math.floor(hour / 24) === day).sort((a, b) => a - b), seriesIds };
}

async function rollUpSlice(state: StoreState, layout: Layout, progress: RollUpProgress): Promise<void> {
  const { rolled, stale } = state.rollUps;
  const { job, stamp, bounds, slice } = progress;
  const connection = state.session.background;
  const isLast = slice === bounds.length - 1;
  const lower = slice === 0 ? 'true' : `series_id >= ${integer(bounds[slice]!)}`;
  const upper = isLast ? 'true' : `series_id < ${integer(bounds[slice + 1]!)}`;
  const hours = new Set(job.hours);
  const seriesIds = job.seriesIds === null ? null : new Set(job.seriesIds);
  const isSettled = (hour: number, id: number, appends: number): boolean =>
    appends <= stamp && hours.has(hour) && (seriesIds === null || seriesIds.has(id));
  await transaction(connection, async () => {
    await writeCells(state, layout, job, `${lower} AND ${upper}`);
    if (!isLast) return;
    const rows = job.hours.filter((hour) => !rolled.has(hour)).map((hour) => `(${integer(hour)})`);
    if (rows.length > 0) await connection.run(`INSERT INTO rolled_hours VALUES ${rows.join(', ')}`);
    await keepStaleCells(state, isSettled);
  });
  progress.slice += 1;
  if (!isLast) return;
  stale.remove(isSettled);
  for (const hour of job.hours) rolled.add(hour);
  endJob(state, job);
}

async function writeCells(
  state: StoreState,
  layout: Layout,
  { hours, seriesIds }: RollUpJob,
  slice: string,
): Promise<void> {
  const connection = state.session.background;
  const from = hours[0]! * MICROS_PER_HOUR;
  const to = (hours.at(-1)! + 1) * MICROS_PER_HOUR;
  const inHours = (time: string): string => `(${time} // ${MICROS_PER_HOUR}) IN (${hours.map(integer).join(', ')})`;
  const inJob = `start >= ${from} AND start < ${to} AND ${inHours('start')} AND ${seriesSql({ seriesIds })} AND ${slice}`;
  await requireSound(state, layout.filesOf({ seriesIds, from, to }));
  const samples = `SELECT * FROM (${selectionSql(state, layout, { seriesIds, from, to })}) WHERE ${inHours('source_time')} AND ${slice}`;
  let finer: string | null = null;
  for (const { table, cellMicros } of ROLL_UP_LEVELS.slice(0, 3)) {
    await connection.run(`DELETE FROM ${table} WHERE ${inJob}`);
    const cell = (time: string): string => `(${time} // ${cellMicros}) * ${cellMicros}`;
    const buckets: string =
      finer === null
        ? bucketsOfSamples(samples, cell('source_time'), 'scanned')
        : mergedBuckets(`SELECT series_id, ${cell('start')} AS bucket, ${BUCKET_COLUMNS} FROM ${finer} WHERE ${inJob}`);
    await connection.run(`INSERT INTO ${table} SELECT series_id, bucket, ${BUCKET_COLUMNS} FROM (${buckets})
      ORDER BY series_id, bucket`);
    finer = table;
  }
}
