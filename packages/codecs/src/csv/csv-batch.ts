/** What a CSV decoder fills: samples in columns, where each record came from, and what could not be read. */
import type { DecodeErrorCode } from '../codec.ts';
import { DecodedBatch } from '../decoded-batch.ts';

/** Something in the file that was left out. The message says what stands there and what to do. */
export interface CsvProblem {
  /** From 1. */
  readonly lineNumber: number;
  /** From 1; 0 = the whole line. */
  readonly columnNumber: number;
  readonly columnName: string;
  readonly code: DecodeErrorCode;
  readonly message: string;
}

/** Problems kept between two resets; more are only counted. */
const PROBLEMS_KEPT_MAX = 1000;

export class CsvBatch {
  /** samples.recordIndex leads to lineNumbers and devices. */
  readonly samples = new DecodedBatch();
  readonly lineNumbers: number[] = [];
  /** By record: what the device column says; '' without one. */
  readonly devices: string[] = [];
  readonly problems: CsvProblem[] = [];
  problemCount = 0;

  get recordCount(): number {
    return this.lineNumbers.length;
  }

  /** Starts the record for a line; samples that are added belong to it. */
  beginRecord(lineNumber: number, device: string): void {
    this.samples.beginRecord(this.lineNumbers.length);
    this.lineNumbers.push(lineNumber);
    this.devices.push(device);
  }

  addProblem(problem: CsvProblem): void {
    this.problemCount += 1;
    if (this.problems.length < PROBLEMS_KEPT_MAX) this.problems.push(problem);
  }

  /** Empties the batch for the next push. */
  reset(): void {
    this.samples.reset();
    this.lineNumbers.length = 0;
    this.devices.length = 0;
    this.problems.length = 0;
    this.problemCount = 0;
  }
}
