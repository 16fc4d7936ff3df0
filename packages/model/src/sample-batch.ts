/**
 * Samples in columns, the form between the pipeline's stages and into the store. Row i is
 * (seriesId, sourceTime, receivedTime, value or text, quality, version). There is no object per sample.
 */
import type { Position } from './raw-batch.ts';

export interface SampleBatch {
  readonly count: number;
  readonly seriesId: Int32Array;
  /** Microseconds, exact integers. (seriesId, sourceTime) is the identity of a sample. */
  readonly sourceTime: Float64Array;
  /** Microseconds, exact integers. */
  readonly receivedTime: Float64Array;
  /** NaN where the sample is a text; booleans are 0 and 1. Otherwise finite. */
  readonly value: Float64Array;
  /** OPC quality byte, see quality.ts. */
  readonly quality: Uint8Array;
  /** Log position of the raw record that first brought the sample; of two with the same identity the higher one wins. */
  readonly version: Float64Array;
  /** Texts by row, only for the rows that have one; null where no row has. */
  readonly texts: ReadonlyMap<number, string> | null;
}

/** How far a reader of the raw log has come, stored in the same transaction as what it wrote. */
export interface ReadPosition {
  readonly topic: string;
  readonly partition: number;
  /** Fencing: a writer whose epoch is lower than the stored one has lost the partition and is refused. */
  readonly epoch: number;
  /** The next record to read. */
  readonly next: Position;
}
