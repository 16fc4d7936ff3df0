/**
 * Compaction: many files of one organisation and day become one (or a few, cut between series). On the running day files of
 * about equal size are merged, so that each row is rewritten a few times at most; a day that is over is merged whole, and
 * with that its repeated rows are settled. One job at a time.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MICROS_PER_DAY, MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { Layout, type SealedFile } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import { insertFiles } from './seal.ts';
import { integer, transaction } from './session.ts';
import { Slices } from './slices.ts';
import { organizationOf, type StoreState } from './state.ts';
import { requireSound } from './verify-files.ts';

/** Files of about the same size that are merged into one of the next size. */
const FAN_IN = 8;
const FAN_IN_BUSY = 24;

export interface Job {
  readonly files: readonly SealedFile[];
  /** All files of the organisation and day up to their generation: repeated rows are settled by it. */
  readonly isWhole: boolean;
}

/** A job under way: it goes on slice by slice, and sealing goes on in between. */
export interface CompactionProgress {
  readonly job: Job;
  readonly slices: Slices;
  readonly merged: SealedFile[];
}

/** Does a slice of the job under way, or of the most urgent one; true where slices of it are left. */
export async function compactOnce(state: StoreState, now: Micros): Promise<boolean> {
  state.compaction ??= await beginJob(state, now);
  const { compaction } = state;
  if (compaction === null) return false;
  const { job, slices, merged } = compaction;
  try {
    if (stillListed(state, job)) {
      const file = await slices.writeNext();
      if (file !== null) merged.push(file);
      if (!slices.isDone) return true;
      await replaceFiles(state, job, merged);
    } else await deleteFiles(state.sealedDir, merged);
    state.compaction = null;
    return false;
  } catch (error) {
    state.compaction = null;
    await deleteFiles(state.sealedDir, merged);
    throw error;
  }
}

async function beginJob(state: StoreState, now: Micros): Promise<CompactionProgress | null> {
  const job = chooseJob(state, now);
  if (job === null) return null;
  await requireSound(state, job.files);
  const { organizationId, day } = job.files[0]!;
  const rowCount = job.files.reduce((sum, file) => sum + file.rowCount, 0);
  const slices = await Slices.begin(
    state,
    (selection) => {
      const deduplicate = state.late.touches(null, selection.from, selection.to);
      return samplesSql({ sealedDir: state.sealedDir, generations: [], files: job.files }, selection, deduplicate);
    },
    { organizationId, day, rowCount, generation: generationOf(job), isShared: false, now },
  );
  return { job, slices, merged: [] };
}

/** False where retention has deleted what is being merged, or a file of it was found damaged. */
function stillListed(state: StoreState, { files }: Job): boolean {
  const listed = new Set(state.layout.current.files);
  return files.every((file) => listed.has(file));
}

function generationOf({ files }: Job): number {
  return files.reduce((most, file) => Math.max(most, file.generation), 0);
}

function chooseJob(state: StoreState, now: Micros): Job | null {
  const { files } = state.layout.current;
  const sound = files.filter((file) => file.damage === null);
  for (const portion of Map.groupBy(sound, (file) => `${file.day} ${file.organizationId}`).values()) {
    const isOver = (portion[0]!.day + 1) * MICROS_PER_DAY + state.settings.rollUpAfterMs * MICROS_PER_MILLI <= now;
    const job = (isOver ? wholeDay(state, portion, now) : null) ?? equalRun(state, portion, now);
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

/**
 * Generations in a row whose files are of about the same size. Merging costs as much as sealing does, so while samples come in
 * as fast as they are sealed it waits for a longer run.
 */
function equalRun(state: StoreState, files: readonly SealedFile[], now: Micros): Job | null {
  const groups = [...Map.groupBy(files, (file) => file.generation)].sort(([a], [b]) => a - b).map(([, group]) => group);
  const sizes = groups.map((group) => group.reduce((sum, file) => sum + file.rowCount, 0));
  const wanted = isBusy(state, now) ? FAN_IN_BUSY : FAN_IN;
  for (let start = 0; start + wanted <= groups.length; start += 1) {
    const run = sizes.slice(start, start + wanted);
    const total = run.reduce((sum, size) => sum + size, 0);
    if (Math.max(...run) > total / 2) continue;
    const count = fitting(run, state.settings.compactRowsMax);
    if (count >= FAN_IN) return { files: groups.slice(start, start + count).flat(), isWhole: false };
  }
  return null;
}

/** True where the last generation was full before its time, and not long ago. */
function isBusy({ layout, settings }: StoreState, now: Micros): boolean {
  const { createdTime, followsFull } = layout.current.openGeneration;
  return followsFull && now - createdTime < settings.sealAfterMs * MICROS_PER_MILLI;
}

/** How many of these sizes, from the first on, are together at most `most`. */
function fitting(sizes: readonly number[], most: number): number {
  let total = 0;
  const end = sizes.findIndex((size) => {
    total += size;
    return total > most;
  });
  return end < 0 ? sizes.length : end;
}

async function replaceFiles(state: StoreState, job: Job, merged: readonly SealedFile[]): Promise<void> {
  const generation = generationOf(job);
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
