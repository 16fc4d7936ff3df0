/** Counts what became of the records of a run over history. Bounded: only the first refusals are kept in words. */
import type { Micros, RawBatch } from '@fieldline/model';
import { originOf } from '@fieldline/model';
import type { DeadLetterAttributes } from '../dead-letters/dead-letter-batch.ts';
import type { Work } from '../work.ts';
import { type HistoryCounts, NO_COUNTS } from './history.ts';

const REFUSALS_KEPT_MAX = 20;
const MESSAGE_LENGTH_MAX = 300;

export class Account {
  #counts: { -readonly [K in keyof HistoryCounts]: HistoryCounts[K] };
  readonly #refused: Record<string, number>;
  readonly #refusals: HistoryCounts['refusals'][number][];

  constructor(before: HistoryCounts = NO_COUNTS) {
    this.#counts = { ...before };
    this.#refused = { ...before.refused };
    this.#refusals = [...before.refusals];
  }

  counts(): HistoryCounts {
    return { ...this.#counts, refused: { ...this.#refused }, refusals: [...this.#refusals] };
  }

  read(records: number, selected: number): void {
    this.#counts.recordsRead += records;
    this.#counts.records += selected;
  }

  stored(samples: number): void {
    this.#counts.samples += samples;
  }

  missing(records: number): void {
    this.#counts.recordsMissing += records;
  }

  deleted(records: number): void {
    this.#counts.recordsDeleted += records;
  }

  /** The oldest record that is left was received at `oldest`; the range begins at `from`. */
  beginsAt(oldest: Micros | null, from: Micros): void {
    if (oldest === null || oldest <= from) return;
    this.#counts.oldestReceivedTime = Math.max(oldest, this.#counts.oldestReceivedTime ?? 0);
  }

  /** What the stages refused of a slice: whole records and single metrics. */
  refused(work: Work): void {
    for (const { recordIndex, code, message } of work.failures) this.#note(work.positionOf(recordIndex), code, message);
    for (const { recordIndex, metric, code, message } of work.rejections) {
      this.#note(work.positionOf(recordIndex), code, `${metric}: ${message}`);
    }
  }

  /** A record that the sink refuses. */
  refusedBySink(letters: RawBatch): void {
    for (let index = 0; index < letters.count; index++) {
      const { originalPosition, code, message } = originOf(letters, index)
        .attributes as unknown as DeadLetterAttributes;
      this.#note(originalPosition, code, message);
    }
  }

  #note(position: number, code: string, message: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
    if (this.#refusals.length >= REFUSALS_KEPT_MAX) return;
    this.#refusals.push({ position, code, message: message.slice(0, MESSAGE_LENGTH_MAX) });
  }
}
