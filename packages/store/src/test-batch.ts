/** Batches from rows, and series, for tests and benches: what is left out is ordinary. */
import { QUALITY_GOOD, type SampleBatch, type SeriesDefinition } from '@fieldline/model';

export interface TestRow {
  readonly seriesId?: number;
  readonly sourceTime: number;
  readonly receivedTime?: number;
  readonly value?: number;
  readonly text?: string;
  readonly quality?: number;
  readonly version?: number;
}

/** A batch with these rows in this order. */
export function batchOf(rows: readonly TestRow[]): SampleBatch {
  const texts = new Map(rows.flatMap(({ text }, row) => (text === undefined ? [] : [[row, text] as const])));
  return {
    count: rows.length,
    seriesId: Int32Array.from(rows, (row) => row.seriesId ?? 1),
    sourceTime: Float64Array.from(rows, (row) => row.sourceTime),
    receivedTime: Float64Array.from(rows, (row) => row.receivedTime ?? row.sourceTime + 5000),
    value: Float64Array.from(rows, (row) => (row.text === undefined ? (row.value ?? 0) : Number.NaN)),
    quality: Uint8Array.from(rows, (row) => row.quality ?? QUALITY_GOOD),
    version: Float64Array.from(rows, (row) => row.version ?? 1),
    texts: texts.size === 0 ? null : texts,
  };
}

/** A series of numbers, of this id. */
export function seriesOf(id: number, more: Partial<SeriesDefinition> = {}): SeriesDefinition {
  return {
    id,
    organizationId: 'plant-7',
    subjectKind: 'device',
    subjectId: 'press-4',
    metricKey: 'temperature',
    valueKind: 'number',
    unit: 'Cel',
    sourceUnit: '',
    scale: 1,
    offset: 0,
    minimum: null,
    maximum: null,
    metadata: {},
    ...more,
  };
}
