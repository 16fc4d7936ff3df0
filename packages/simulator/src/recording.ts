/**
 * A file in memory, in columns, to be replayed: CSV, or JSON messages as devices send them (.json: one array; .jsonl, .ndjson:
 * one message a line). Pauses are cut where asked, so that a replay does not stand still.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import {
  CsvBatch,
  CsvDecoder,
  type CsvMapping,
  DEFAULT_DECODE_LIMITS,
  DecodedBatch,
  DecodeError,
  jsonCodec,
} from '@fieldline/codecs';
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

interface Row {
  readonly time: Micros;
  readonly values: Record<string, Value>;
}

/** Reads a recording. Rows that are out of order are sorted; lines that cannot be read are left out. */
export async function readRecording(file: string, mapping: CsvMapping, pauseMsMax: number): Promise<Recording> {
  const rows: Row[] = [];
  const units: Record<string, string> = Object.create(null);
  const collect = (samples: DecodedBatch): void => addRows(samples, rows, units, file);
  try {
    if (/\.json$/i.test(file)) await readJson(file, collect);
    else if (/\.(jsonl|ndjson)$/i.test(file)) await readJsonLines(file, collect);
    else await readCsv(file, mapping, collect);
  } catch (error) {
    throw new FieldlineError('CONFIG_INVALID', `replay ${file}: ${(error as Error).message}`, { cause: error });
  }
  if (rows.length === 0) throw new FieldlineError('CONFIG_INVALID', `replay ${file}: there is no line with values`);
  rows.sort((one, other) => one.time - other.time);
  return recordingOf(rows, units, pauseMsMax);
}

async function readCsv(file: string, mapping: CsvMapping, collect: (samples: DecodedBatch) => void): Promise<void> {
  const batch = new CsvBatch();
  const decoder = new CsvDecoder(mapping);
  for await (const chunk of createReadStream(file)) {
    decoder.push(chunk as Uint8Array, batch);
    collect(batch.samples);
    batch.reset();
  }
  decoder.end(batch);
  collect(batch.samples);
}

/** One array of messages; a file is not bound to the size of an MQTT message. */
async function readJson(file: string, collect: (samples: DecodedBatch) => void): Promise<void> {
  const messages: unknown = JSON.parse(await readFile(file, 'utf8'));
  const samples = new DecodedBatch();
  for (const message of Array.isArray(messages) ? messages : [messages]) {
    decodeMessage(JSON.stringify(message), samples);
    collect(samples);
    samples.reset();
  }
}

async function readJsonLines(file: string, collect: (samples: DecodedBatch) => void): Promise<void> {
  const samples = new DecodedBatch();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line.trim() === '') continue;
    decodeMessage(line, samples);
    collect(samples);
    samples.reset();
  }
}

/** As with CSV, a message that cannot be read is left out. */
function decodeMessage(text: string, samples: DecodedBatch): void {
  try {
    jsonCodec.decode(Buffer.from(text), samples, DEFAULT_DECODE_LIMITS);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    samples.truncate(0);
  }
}

/** Samples of one record and time are one row; those without a time have no place in a recording. */
function addRows(samples: DecodedBatch, rows: Row[], units: Record<string, string>, file: string): void {
  for (let first = 0; first < samples.count; ) {
    const record = samples.recordIndex[first];
    const time = samples.sourceTime[first]!;
    const row: Row = { time, values: Object.create(null) as Record<string, Value> };
    let at = first;
    const belongs = (): boolean => samples.recordIndex[at] === record && Object.is(samples.sourceTime[at], time);
    for (; at < samples.count && belongs(); at++) {
      const kind = samples.valueKind[at];
      const number = samples.value[at]!;
      row.values[samples.metric[at]!] = kind === 2 ? samples.texts.get(at)! : kind === 1 ? number === 1 : number;
      const unit = samples.units.get(at);
      if (unit !== undefined) units[samples.metric[at]!] = unit;
    }
    if (!Number.isNaN(time)) rows.push(row);
    first = at;
  }
  if (rows.length > ROWS_MAX) {
    throw new FieldlineError('CONFIG_INVALID', `replay ${file}: more than ${ROWS_MAX} rows; use fieldline import`);
  }
}

function recordingOf(rows: readonly Row[], units: Record<string, string>, pauseMsMax: number): Recording {
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
