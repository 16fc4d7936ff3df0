/**
 * The writing half: a batch, its position and what it did behind the back of others, in one transaction; memory follows only
 * after the commit. Everything here runs in state.writes, one call at a time.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_HOUR, type Micros, type ReadPosition, type SampleBatch } from '@fieldline/model';
import { HotAppender } from './hot-appender.ts';
import { createHotTables, SHARDS } from './hot-tables.ts';
import { type Generation, Layout } from './layout.ts';
import { integer, storeError, transaction } from './session.ts';
import type { StoreState } from './state.ts';

const CELLS_PER_STATEMENT = 1000;

export async function acquirePosition(state: StoreState, topic: string, partition: number): Promise<ReadPosition> {
  const { writer } = state.session;
  const key = `${topic}/${integer(partition)}`;
  const stored = state.positions.get(key);
  const next = { epoch: (stored?.epoch ?? 0) + 1, next: stored?.next ?? 0 };
  try {
    if (stored === undefined) {
      await writer.run('INSERT INTO positions VALUES ($1, $2, $3, 0)', [topic, partition, next.epoch]);
    } else {
      await writer.run('UPDATE positions SET epoch = $1 WHERE topic = $2 AND partition = $3', [
        next.epoch,
        topic,
        partition,
      ]);
    }
  } catch (error) {
    throw storeError('taking over a partition', error);
  }
  state.positions.set(key, next);
  return { topic, partition, ...next };
}

export async function appendBatch(state: StoreState, batch: SampleBatch, position: ReadPosition): Promise<void> {
  checkPosition(state, position);
  if (state.layout.current.openGeneration.rowCount >= state.settings.sealRowsMax) await startGeneration(state);
  const generation = state.layout.current.openGeneration;
  const lateRows: number[] = [];
  state.latest.prepare(batch, (row) => lateRows.push(row));
  const lateCells = newLateCells(state, generation, batch, lateRows);
  let shardRows: number[] = [];
  try {
    await transaction(state.session.writer, async () => {
      if (batch.count > 0) shardRows = state.appender.append(batch);
      await insertLateCells(state, lateCells);
      await writePosition(state, position);
    });
  } catch (error) {
    state.latest.rollback();
    await reopenAppender(state, generation);
    throw storeError(`appending ${batch.count} samples`, error);
  }
  state.positions.set(`${position.topic}/${position.partition}`, { epoch: position.epoch, next: position.next });
  state.latest.commit(batch);
  for (const [hour, seriesId] of lateCells) state.late.add(hour, seriesId, generation.id);
  touchHours(state, generation, batch);
  generation.lateCount += lateRows.length;
  generation.rowCount += batch.count;
  for (const [shard, count] of shardRows.entries()) generation.shardRows[shard]! += count;
}

/**
 * Closes the open generation (it will be sealed) and opens the next. Each attempt takes an id of its own: what one that failed
 * has left in the database is empty, does not stand in the way of the next, and goes at the next start.
 */
export async function startGeneration(state: StoreState): Promise<void> {
  const { generations, files } = state.layout.current;
  const id = state.nextGenerationId++;
  const followsFull = state.layout.current.openGeneration.rowCount >= state.settings.sealRowsMax;
  const generation = await createGeneration(state.session.writer, id, state.clock.nowMicros(), followsFull);
  const appender = await HotAppender.open(state.session.writer, generation);
  state.appender.close();
  state.appender = appender;
  for (const closed of generations) closed.isOpen = false;
  state.layout.replace(new Layout([...generations, generation], files));
}

/** Makes the tables of a new generation and lists it. */
export async function createGeneration(
  writer: DuckDBConnection,
  id: number,
  createdTime: Micros,
  followsFull: boolean,
): Promise<Generation> {
  const shardRows = new Array<number>(SHARDS).fill(0);
  await transaction(writer, async () => {
    for (const statement of createHotTables({ id, shardRows })) await writer.run(statement);
    await writer.run(
      `INSERT INTO generations (id, created_time, sealed, shards) VALUES (${integer(id)}, ${integer(createdTime)}, false, ${SHARDS})`,
    );
  });
  return { id, createdTime, isOpen: true, followsFull, rowCount: 0, shardRows, lateCount: 0, hours: new Set() };
}

function checkPosition(state: StoreState, position: ReadPosition): void {
  const stored = state.positions.get(`${position.topic}/${position.partition}`);
  const name = `${position.topic}/${position.partition}`;
  if (position.epoch < (stored?.epoch ?? 0)) {
    throw new FieldlineError(
      'WRITER_FENCED',
      `${name}: epoch ${position.epoch} writes, epoch ${stored?.epoch} has taken the partition over; acquire it again`,
    );
  }
  if (position.next <= (stored?.next ?? 0)) {
    throw new FieldlineError(
      'CONFLICT',
      `${name}: position ${position.next} is not above the stored ${stored?.next ?? 0}`,
    );
  }
}

/** Cells in which this batch brings rows that may repeat a source time, and that are not known as such. */
function newLateCells(
  state: StoreState,
  generation: Generation,
  batch: SampleBatch,
  lateRows: readonly number[],
): [hour: number, seriesId: number][] {
  const found = new Map<string, [number, number]>();
  let lastHour = Number.NaN;
  let lastSeries = Number.NaN;
  for (const row of lateRows) {
    const hour = Math.floor(batch.sourceTime[row]! / MICROS_PER_HOUR);
    const seriesId = batch.seriesId[row]!;
    if (hour === lastHour && seriesId === lastSeries) continue;
    lastHour = hour;
    lastSeries = seriesId;
    if (!state.late.has(hour, seriesId, generation.id)) found.set(`${hour}/${seriesId}`, [hour, seriesId]);
  }
  return [...found.values()];
}

async function insertLateCells(state: StoreState, cells: readonly (readonly [number, number])[]): Promise<void> {
  const generation = integer(state.layout.current.openGeneration.id);
  for (let from = 0; from < cells.length; from += CELLS_PER_STATEMENT) {
    const rows = cells
      .slice(from, from + CELLS_PER_STATEMENT)
      .map(([hour, seriesId]) => `(${integer(hour)}, ${integer(seriesId)}, ${generation})`);
    await state.session.writer.run(`INSERT INTO late_cells VALUES ${rows.join(', ')}`);
  }
}

async function writePosition(state: StoreState, { topic, partition, epoch, next }: ReadPosition): Promise<void> {
  const { writer } = state.session;
  if (state.positions.has(`${topic}/${partition}`)) {
    await writer.run('UPDATE positions SET epoch = $1, next = $2 WHERE topic = $3 AND partition = $4', [
      epoch,
      BigInt(next),
      topic,
      partition,
    ]);
  } else {
    await writer.run('INSERT INTO positions VALUES ($1, $2, $3, $4)', [topic, partition, epoch, BigInt(next)]);
  }
}

/** Notes the hours that the generation has rows in, and which rolled-up cells have become stale by the batch. */
function touchHours(state: StoreState, generation: Generation, batch: SampleBatch): void {
  const { rolled, rolling, stale } = state.rollUps;
  state.rollUps.appends += 1;
  let hour = Number.NaN;
  let isDerived = false;
  for (let row = 0; row < batch.count; row += 1) {
    const rowHour = Math.floor(batch.sourceTime[row]! / MICROS_PER_HOUR);
    if (rowHour !== hour) {
      hour = rowHour;
      generation.hours.add(hour);
      isDerived = rolled.has(hour) || rolling.has(hour);
    }
    if (isDerived) stale.add(hour, batch.seriesId[row]!, state.rollUps.appends);
  }
}

/** After a failure an appender holds rows that must not be written by the next one. */
async function reopenAppender(state: StoreState, generation: Generation): Promise<void> {
  try {
    state.appender.discard();
    state.appender = await HotAppender.open(state.session.writer, generation);
  } catch (error) {
    // The database is unusable (disk failure); every further append says so itself.
    state.logger.error({ error: String(error) }, 'the telemetry store cannot be appended to');
  }
}
