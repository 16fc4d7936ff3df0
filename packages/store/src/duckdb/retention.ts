/**
 * Retention by resolution, in whole UTC days: raw samples with their minutes and files; quarters and hours, which become UTC
 * days before they go; days. A day of samples goes only after its roll-ups are made, and not while late data comes in.
 */
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { BUCKET_COLUMNS, mergedBuckets } from './aggregate-sql.ts';
import { deleteFiles } from './compact.ts';
import { Layout } from './layout.ts';
import { integer, transaction } from './session.ts';
import type { StoreState } from './state.ts';

export async function enforceRetention(state: StoreState, now: Micros): Promise<void> {
  await dropSamples(state, now);
  await dropHours(state, now);
  const { dailyMs } = state.settings.retention;
  if (dailyMs !== null) {
    await state.session.background.run(
      `DELETE FROM rollup_1d WHERE start < ${integer(firstKept(now, dailyMs) * MICROS_PER_DAY)}`,
    );
  }
}

/** The first day of which some part is young enough. */
function firstKept(now: Micros, ageMs: number): number {
  return Math.floor((now - ageMs * MICROS_PER_MILLI) / MICROS_PER_DAY);
}

async function dropSamples(state: StoreState, now: Micros): Promise<void> {
  const { rawMs } = state.settings.retention;
  if (rawMs === null) return;
  const kept = firstKept(now, rawMs);
  for (const [day, files] of Map.groupBy(state.layout.current.files, (file) => file.day)) {
    if (day >= kept || !isReady(state, day, now)) continue;
    const connection = state.session.background;
    const newlyDropped = !state.rollUps.droppedDays.has(day);
    await transaction(connection, async () => {
      await connection.run(`DELETE FROM files WHERE day = ${integer(day)}`);
      if (newlyDropped) await connection.run(`INSERT INTO dropped_days VALUES (${integer(day)})`);
      await connection.run(`DELETE FROM late_cells WHERE hour // 24 = ${integer(day)}`);
      const [from, to] = [day * MICROS_PER_DAY, (day + 1) * MICROS_PER_DAY];
      await connection.run(`DELETE FROM rollup_1m WHERE start >= ${from} AND start < ${to}`);
    });
    state.rollUps.droppedDays.add(day);
    const { generations, files: before } = state.layout.current;
    const next = new Layout(
      generations,
      before.filter((file) => file.day !== day),
    );
    state.layout.replace(next, async () => {
      state.late.remove((hour) => Math.floor(hour / 24) === day);
      await deleteFiles(state.sealedDir, files);
    });
  }
}

/** True where the day is rolled up, holds no hot rows and has had no new file for a while. */
function isReady(state: StoreState, day: number, now: Micros): boolean {
  const { layout, rollUps, settings } = state;
  const graceMicros = settings.retentionGraceMs * MICROS_PER_MILLI;
  const { generations, files } = layout.current;
  if (generations.some(({ hours }) => [...hours].some((hour) => Math.floor(hour / 24) === day))) return false;
  if (rollUps.droppedDays.has(day)) return true;
  for (const file of files) {
    if (file.day !== day) continue;
    if (file.sealedTime + graceMicros > now) return false;
    const last = Math.floor(file.maxTime / MICROS_PER_HOUR);
    for (let hour = Math.floor(file.minTime / MICROS_PER_HOUR); hour <= last; hour += 1) {
      if (file.damage === null && !rollUps.rolled.has(hour)) return false;
    }
  }
  return ![...rollUps.stale.entries()].some(([hour]) => Math.floor(hour / 24) === day);
}

async function dropHours(state: StoreState, now: Micros): Promise<void> {
  const { hourlyMs } = state.settings.retention;
  if (hourlyMs === null) return;
  const connection = state.session.background;
  const { rollUps } = state;
  // Only behind what is dropped already: hours must outlive their samples.
  const days = [...rollUps.droppedDays].filter(
    (day) => day < firstKept(now, hourlyMs) && day >= rollUps.hoursDroppedBefore,
  );
  if (days.length === 0) return;
  const before = Math.max(...days) + 1;
  const hasSamples = state.layout.current.days(-Infinity, before * MICROS_PER_DAY).length > 0;
  if (hasSamples) return;
  const end = integer(before * MICROS_PER_DAY);
  await transaction(connection, async () => {
    const day = `(start // ${MICROS_PER_DAY}) * ${MICROS_PER_DAY}`;
    const cells = `SELECT series_id, ${day} AS bucket, ${BUCKET_COLUMNS} FROM rollup_1h WHERE start < ${end}`;
    await connection.run(
      `INSERT INTO rollup_1d SELECT series_id, bucket, ${BUCKET_COLUMNS} FROM (${mergedBuckets(cells)})`,
    );
    for (const table of ['rollup_15m', 'rollup_1h']) await connection.run(`DELETE FROM ${table} WHERE start < ${end}`);
    await connection.run('DELETE FROM hours_dropped_before');
    await connection.run(`INSERT INTO hours_dropped_before VALUES (${integer(before)})`);
    await connection.run(`DELETE FROM rolled_hours WHERE hour < ${integer(before * 24)}`);
    await connection.run(`DELETE FROM dropped_days WHERE day < ${integer(before)}`);
  });
  rollUps.hoursDroppedBefore = before;
  for (const hour of rollUps.rolled) if (hour < before * 24) rollUps.rolled.delete(hour);
  for (const day of rollUps.droppedDays) if (day < before) rollUps.droppedDays.delete(day);
}
