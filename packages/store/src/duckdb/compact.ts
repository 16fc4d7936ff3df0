/**
 * Compaction: many files of one organisation and day become one (or a few, cut between series). On the running day files of
 * about equal size are merged, so that each row is rewritten a few times at most; a day that is over is merged whole, and
 * with that its repeated rows are settled. One job a round.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MICROS_PER_DAY, MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { Layout, type SealedFile } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import { insertFiles, writeSlices } from './seal.ts';
import { integer, transaction } from './session.ts';
import { organizationOf, type StoreState } from './state.ts';

/** Files of about the same size that are merged into one of the next size. */
const FAN_IN = 8;

interface Job {
  readonly files: readonly SealedFile[];
  /** All files of the organisation and day up to their generation: repeated rows are settled by it. */
  readonly isWhole: boolean;
}

/** Does the most urgent job; false where there is none. */
export async function compactOnce(state: StoreState, now: Micros): Promise<boolean> {
  const job = chooseJob(state, now);
  if (job === null) return false;
  const { organizationId, day } = job.files[0]!;
  const generation = job.files.reduce((most, file) => Math.max(most, file.generation), 0);
  const rowCount = job.files.reduce((sum, file) => sum + file.rowCount, 0);
  const merged = await writeSlices(
    state,
    (selection) => {
      const deduplicate = state.late.touches(null, selection.from, selection.to);
      return samplesSql({ sealedDir: state.sealedDir, generations: [], files: job.files }, selection, deduplicate);
    },
    { organizationId, day, rowCount, generation, isShared: false, now },
  );
  await replaceFiles(state, job, merged, generation);
  return true;
}

function chooseJob(state: StoreState, now: Micros): Job | null {
  const { files } = state.layout.current;
  const sound = files.filter((file) => file.damage === null);
  for (const portion of Map.groupBy(sound, (file) => `${file.day} ${file.organizationId}`).values()) {
    const isOver = (portion[0]!.day + 1) * MICROS_PER_DAY + state.settings.rollUpAfterMs * MICROS_PER_MILLI <= now;
    const job = (isOver ? wholeDay(state, portion, now) : null) ?? equalRun(state, portion);
    if (job !== null) return job;
  }
  return null;
}

function wholeDay(state: StoreState, files: readonly SealedFile[], now: Micros): Job | null {
  const rowCount = files.reduce((sum, file) => sum + file.rowCount, 0);
  const newest = files.reduce((most, file) => Math.max(most, file.sealedTime), 0);
  const generations = new Set(files.map((file) => file.generation));
  if (rowCount > state.settings.compactRowsMax) return null;
  if (newest + state.settings.compactAfterMs * MICROS_PER_MILLI > now) return null;
  if (generations.size === 1 && !hasSettledCells(state, files[0]!)) return null;
  return { files, isWhole: true };
}

/** True where the organisation has cells in this day whose rows all are in files of this generation or older. */
function hasSettledCells(state: StoreState, { organizationId, day, generation }: SealedFile): boolean {
  for (const [hour, seriesId, stamp] of state.late.entries()) {
    if (Math.floor(hour / 24) !== day || stamp > generation) continue;
    if (organizationOf(state, seriesId) === organizationId) return true;
  }
  return false;
}

/** The first run of FAN_IN generations in a row whose files are of about the same size. */
function equalRun(state: StoreState, files: readonly SealedFile[]): Job | null {
  const groups = [...Map.groupBy(files, (file) => file.generation)].sort(([a], [b]) => a - b).map(([, group]) => group);
  const sizes = groups.map((group) => group.reduce((sum, file) => sum + file.rowCount, 0));
  for (let start = 0; start + FAN_IN <= groups.length; start += 1) {
    const run = sizes.slice(start, start + FAN_IN);
    const total = run.reduce((sum, size) => sum + size, 0);
    const isEven = Math.max(...run) <= total / 2;
    if (isEven && total <= state.settings.compactRowsMax) {
      return { files: groups.slice(start, start + FAN_IN).flat(), isWhole: false };
    }
  }
  return null;
}

async function replaceFiles(
  state: StoreState,
  job: Job,
  merged: readonly SealedFile[],
  generation: number,
): Promise<void> {
  const connection = state.session.background;
  const { organizationId, day } = job.files[0]!;
  const isSettled = (hour: number, seriesId: number, stamp: number): boolean =>
    Math.floor(hour / 24) === day && stamp <= generation && organizationOf(state, seriesId) === organizationId;
  const settled = job.isWhole ? [...state.late.entries()].filter((cell) => isSettled(...cell)) : [];
  await transaction(connection, async () => {
    await connection.run(`DELETE FROM files WHERE id IN (${job.files.map(({ id }) => integer(id)).join(', ')})`);
    await insertFiles(connection, merged);
    for (let from = 0; from < settled.length; from += 1000) {
      const cells = settled.slice(from, from + 1000).map(([hour, series]) => `(${integer(hour)}, ${integer(series)})`);
      await connection.run(`DELETE FROM late_cells WHERE generation <= ${integer(generation)}
        AND (hour, series_id) IN (${cells.join(', ')})`);
    }
  });
  const gone = new Set(job.files.map(({ id }) => id));
  const { generations, files } = state.layout.current;
  const next = new Layout(generations, [...files.filter(({ id }) => !gone.has(id)), ...merged]);
  state.layout.replace(next, async () => {
    // Not before: a query on the older layout still meets the repeated rows.
    if (job.isWhole) state.late.remove(isSettled);
    await deleteFiles(state.sealedDir, job.files);
  });
}

export async function deleteFiles(sealedDir: string, files: readonly SealedFile[]): Promise<void> {
  for (const { path } of files) {
    // A file that is gone already is what was wanted; any other failure leaves one that the next start removes.
    await unlink(join(sealedDir, path)).catch(() => {});
  }
}
