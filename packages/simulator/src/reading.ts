/** What a device says at one moment. */
import type { Micros } from '@fieldline/model';
import type { Value } from './patterns.ts';

export interface Reading {
  readonly sourceTime: Micros;
  readonly values: Readonly<Record<string, Value>>;
}

/** Where a device's readings come from: patterns or a recording. */
export interface ReadingSource {
  /**
   * The readings within (after, until] in the order of their times, at most `max` of them: ask again with the last one's
   * time until there are none. Asked with rising times only.
   */
  take(after: Micros, until: Micros, max: number): Reading[];
  /** The readings within [from, until], at least a step apart; 0 = as densely as there are. */
  history(from: Micros, until: Micros, stepMicros: number): Iterable<Reading>;
  readonly units: Readonly<Record<string, string>>;
}
