/** One round of background work, in the order of the data's way: seal, list series, compact, roll up, delete, check, empty the log. */
import { stat } from 'node:fs/promises';
import { messageOf } from '@fieldline/kit';
import { MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import { startGeneration } from './append-batch.ts';
import { writeBlockList } from './block-list.ts';
import { compactOnce } from './compact.ts';
import { exportSeries } from './define-series.ts';
import { enforceRetention } from './retention.ts';
import { rollUpOnce } from './roll-up.ts';
import { sealGeneration } from './seal.ts';
import type { StoreState } from './state.ts';
import { damageOf, markDamaged } from './verify-files.ts';

/** How long a round goes on rolling up; what is left waits for the next, after what has to be sealed. */
const ROLL_UP_MS_PER_ROUND = 2000;

/** `stopping` is asked between steps, each of which leaves everything in order. */
export async function maintainOnce(
  state: StoreState,
  now: Micros,
  databasePath: string,
  stopping: () => boolean,
): Promise<void> {
  await dropRetired(state);
  await closeAgedGeneration(state, now);
  for (const generation of state.layout.current.generations.slice(0, -1)) {
    if (stopping()) return;
    await sealGeneration(state, generation, now);
    await dropRetired(state);
  }
  if (stopping()) return;
  await exportSeries(state);
  if (stopping()) return;
  while ((await compactOnce(state, now)) && !isSealingDue(state)) if (stopping()) return;
  const startMs = state.clock.monotonicMs();
  while (!stopping() && (await rollUpOnce(state, now))) {
    if (state.clock.monotonicMs() - startMs > ROLL_UP_MS_PER_ROUND) break;
  }
  if (stopping()) return;
  await enforceRetention(state, now);
  if (stopping()) return;
  await checkSomeFiles(state);
  const [undropped] = await dropRetired(state);
  await emptyWriteAheadLog(state, databasePath);
  if (undropped !== undefined) throw undropped;
}

/** A file goes only when the commit that does without it is there for good. What cannot go holds up nothing else: see the end of a round. */
async function dropRetired({ session, layout }: StoreState): Promise<unknown[]> {
  await session.keepLogName();
  return layout.dropRetired();
}

async function closeAgedGeneration(state: StoreState, now: Micros): Promise<void> {
  await state.writes.run(async () => {
    const { rowCount, createdTime } = state.layout.current.openGeneration;
    const ageMs = (now - createdTime) / MICROS_PER_MILLI;
    if (rowCount > 0 && (ageMs >= state.settings.sealAfterMs || rowCount >= state.settings.sealRowsMax)) {
      await startGeneration(state);
    }
  });
}

/** True where a generation waits to be sealed, or is full. */
function isSealingDue({ layout, settings }: StoreState): boolean {
  return layout.current.generations.length > 1 || layout.current.openGeneration.rowCount >= settings.sealRowsMax;
}

/** Goes round all files, some bytes a round, so that damage is found before it is needed. */
async function checkSomeFiles(state: StoreState): Promise<void> {
  const files = state.layout.current.files.filter((file) => file.damage === null).sort((a, b) => a.id - b.id);
  const next = files.findIndex((file) => file.id > state.lastCheckedFile);
  let bytes = 0;
  for (const file of next < 0 ? files : files.slice(next)) {
    if (bytes >= state.settings.verifyBytesPerRound) return;
    bytes += file.byteLength;
    state.lastCheckedFile = file.id;
    const damage = await damageOf(state.sealedDir, file);
    if (damage !== null) await markDamaged(state, file, damage);
    else state.sound.add(file);
  }
}

/** Right after sealing there are few hot rows, so a checkpoint is short; appends wait for it. */
async function emptyWriteAheadLog(state: StoreState, databasePath: string): Promise<void> {
  const { size } = await stat(`${databasePath}.wal`).catch(() => ({ size: 0 }));
  if (size < state.settings.walBytesMax) return;
  try {
    await state.writes.run(() => state.session.checkpoint());
    // While appends go on: what the checkpoint has left stays as it is.
    await writeBlockList(databasePath, state.session.background);
  } catch (error) {
    // Another transaction is open; the next round tries again. The log holds everything meanwhile.
    state.logger.debug({ error: messageOf(error) }, 'checkpoint put off');
  }
}
