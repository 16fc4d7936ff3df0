/** What the crash test appends at each position, and what must be there after position n. Pure. */
import { MICROS_PER_HOUR, MICROS_PER_MINUTE, type SampleBatch } from '@fieldline/model';
import { batchOf, type TestRow } from '../test-batch.ts';

export const TOPIC = 'telemetry.raw';
const START = Date.UTC(2026, 0, 10) * 1000;
const ROWS = 50;

function rowsOf(position: number): TestRow[] {
  return Array.from({ length: ROWS }, (_, row) => ({
    seriesId: 1 + (row % 5),
    // a few days, some of it late
    sourceTime: START + ((position * 7) % 60) * MICROS_PER_HOUR + position * 1000 + row * MICROS_PER_MINUTE,
    value: position,
    version: position,
  }));
}

/** Every tenth batch also corrects all samples of the one before. */
export function crashBatch(position: number): SampleBatch {
  const corrected =
    position % 10 === 0 ? rowsOf(position - 1).map((row) => ({ ...row, value: position, version: position })) : [];
  return batchOf([...rowsOf(position), ...corrected]);
}

/** series → source time → value, after all positions up to this one. */
export function expectedAfter(position: number): Map<number, Map<number, number>> {
  const expected = new Map<number, Map<number, number>>();
  for (let at = 1; at <= position; at += 1) {
    const batch = crashBatch(at);
    for (let row = 0; row < batch.count; row += 1) {
      const series = expected.get(batch.seriesId[row]!) ?? new Map<number, number>();
      expected.set(batch.seriesId[row]!, series);
      series.set(batch.sourceTime[row]!, batch.value[row]!);
    }
  }
  return expected;
}
