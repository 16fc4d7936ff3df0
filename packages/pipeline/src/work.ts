/** A slice of a read batch on its way through the stages: the raw records, what became of them, what was refused on the way. */
import { DecodedBatch } from '@fieldline/codecs';
import type { ErrorCode } from '@fieldline/kit';
import type { LoggedBatch, Position } from '@fieldline/model';
import type { Route } from './routes.ts';
import type { SeriesState } from './series-state.ts';

/** Why something is not taken in. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A record of which nothing could be taken in. */
export interface RecordFailure extends Refusal {
  readonly recordIndex: number;
}

/** A sample that was not accepted; the rest of its record may have been. */
export interface SampleRejection extends Refusal {
  readonly recordIndex: number;
  readonly metric: string;
}

/** Records that were chosen out of a batch: record i stood at positions[i]. Absent = all, from firstPosition on. */
export interface SelectedBatch extends LoggedBatch {
  readonly positions?: Float64Array;
}

/** A batch on its way through the stages. */
export interface NumberedBatch extends SelectedBatch {
  /** In which second of received time record i came, by SecondCounter. */
  readonly seconds: Float64Array;
}

const NO_SECONDS: Float64Array = new Float64Array(0);

/** The memory is used again for the next batch. */
export class Work {
  batch!: SelectedBatch;
  /** The records [from, to) of the batch are in this slice; decode finds where it ends. */
  from = 0;
  to = 0;
  /** By origin of the batch. */
  routes: readonly Route[] = [];
  /** By record; see NumberedBatch. */
  seconds = NO_SECONDS;
  readonly decoded = new DecodedBatch();
  /** By row of `decoded` (longer than it has rows); null = the row goes no further. */
  readonly series: (SeriesState | null)[] = [];
  readonly failures: RecordFailure[] = [];
  readonly rejections: SampleRejection[] = [];

  begin(batch: SelectedBatch, routes: readonly Route[], from = 0, seconds = NO_SECONDS): void {
    this.batch = batch;
    this.seconds = seconds;
    this.from = from;
    this.to = batch.count;
    this.routes = routes;
    this.decoded.reset();
    this.failures.length = 0;
    this.rejections.length = 0;
  }

  routeOf(recordIndex: number): Route {
    return this.routes[this.batch.originIndex[recordIndex]!]!;
  }

  /** Where a record stands in the log. */
  positionOf(recordIndex: number): Position {
    return this.batch.positions?.[recordIndex] ?? this.batch.firstPosition + recordIndex;
  }

  /** Refuses one row: it goes no further, and its record becomes a dead letter that names it. */
  refuse(row: number, code: ErrorCode, message: string): void {
    this.series[row] = null;
    this.rejections.push({
      recordIndex: this.decoded.recordIndex[row]!,
      metric: this.decoded.metric[row]!,
      code,
      message,
    });
  }
}
