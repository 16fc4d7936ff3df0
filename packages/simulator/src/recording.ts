/** A CSV file in memory, in columns, to be replayed. Pauses are cut where asked, so that a replay does not stand still. */
import { createReadStream } from 'node:fs';
import { CsvBatch, CsvDecoder, type CsvMapping } from '@fieldline/codecs';
import { FieldlineError } from '@fieldline/kit';
import { isoToMicros, type Micros } from '@fieldline/model';
import type { Value } from './patterns.ts';

/** A recording stays in memory; a longer one belongs to `fieldline import`. */
const ROWS_MAX = 2_000_000;

export interface Recording {
  readonly count: number;
  /** By row: microseconds since the first row, pauses cut. Rising. */
  readonly elapsed: Float64Array;
  /** Until the first row comes again in a loop. */
  readonly lengthMicros: number;
  valuesOf(row: number): Readonly<Record<string, Value>>;
  /** Elapsed time of the first row at or after a time of the file; 0 where there is none. */
  elapsedAt(iso: string): number;
  readonly units: Readonly<Record<string, string>>;
}

/** Reads a recording. Rows that are out of order are sorted; lines that cannot be read are left out. */
export async function readRecording(file: string, mapping: CsvMapping, pauseMsMax: number): Promise<Recording> {
  const rows: { time: Micros; values: Record<string, Value> }[] = [];
  const units: Record<string, string> = {};
  const batch = new CsvBatch();
  const decoder = new CsvDecoder(mapping);
  try {
    for await (const chunk of createReadStream(file)) {
      decoder.push(chunk as Uint8Array, batch);
      collect(batch, rows, units, file);
    }
    decoder.end(batch);
    collect(batch, rows, units, file);
  } catch (error) {
    throw new FieldlineError('CONFIG_INVALID', `replay ${file}: ${(error as Error).message}`, { cause: error });
  }
  if (rows.length === 0) throw new FieldlineError('CONFIG_INVALID', `replay ${file}: there is no line with values`);
  rows.sort((one, other) => one.time - other.time);
  return recordingOf(rows, units, pauseMsMax);
}

function collect(
  batch: CsvBatch,
  rows: { time: Micros; values: Record<string, Value> }[],
  units: Record<string, string>,
  file: string,
): void {
  const { samples } = batch;
  for (let first = 0; first < samples.count; ) {
    const record = samples.recordIndex[first];
    const row = { time: samples.sourceTime[first]!, values: Object.create(null) as Record<string, Value> };
    let at = first;
    for (; at < samples.count && samples.recordIndex[at] === record; at++) {
      const kind = samples.valueKind[at];
      const number = samples.value[at]!;
      row.values[samples.metric[at]!] = kind === 2 ? samples.texts.get(at)! : kind === 1 ? number === 1 : number;
      const unit = samples.units.get(at);
      if (unit !== undefined) units[samples.metric[at]!] = unit;
    }
    rows.push(row);
    first = at;
  }
  batch.reset();
  if (rows.length > ROWS_MAX) {
    throw new FieldlineError('CONFIG_INVALID', `replay ${file}: more than ${ROWS_MAX} rows; use fieldline import`);
  }
}

function recordingOf(
  rows: readonly { time: Micros; values: Record<string, Value> }[],
  units: Record<string, string>,
  pauseMsMax: number,
): Recording {
  const elapsed = new Float64Array(rows.length);
  for (let row = 1; row < rows.length; row++) {
    elapsed[row] = elapsed[row - 1]! + Math.min(rows[row]!.time - rows[row - 1]!.time, pauseMsMax * 1000);
  }
  const span = elapsed.at(-1)!;
  const usualStep = rows.length > 1 ? Math.max(1, Math.round(span / (rows.length - 1))) : 1_000_000;
  return {
    count: rows.length,
    elapsed,
    lengthMicros: span + usualStep,
    units,
    valuesOf: (row) => rows[row]!.values,
    elapsedAt(iso) {
      const time = isoToMicros(iso);
      if (Number.isNaN(time)) throw new FieldlineError('CONFIG_INVALID', `replay.startAt: "${iso}" is not ISO 8601`);
      const row = rows.findIndex((one) => one.time >= time);
      return row < 0 ? 0 : elapsed[row]!;
    },
  };
}
