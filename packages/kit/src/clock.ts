/** The clock as a parameter: code that needs the time is given one, tests give a manual one. */
import type { Micros } from '@fieldline/model';

export interface Clock {
  /** Wall time in whole microseconds since the Unix epoch. */
  nowMicros(): Micros;
  /** Wall time in milliseconds. */
  nowMs(): number;
  /** Monotonic milliseconds, for durations; does not jump with the wall clock. */
  monotonicMs(): number;
}

/** The machine's clock. Its resolution is a millisecond. */
export const systemClock: Clock = {
  nowMicros: () => Date.now() * 1000,
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #micros: Micros;
  #monotonicMs = 0;

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#micros = startMs * 1000;
  }

  nowMicros(): Micros {
    return this.#micros;
  }

  nowMs(): number {
    return Math.floor(this.#micros / 1000);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Moves both the wall clock and the monotonic one. */
  advanceMs(milliseconds: number): void {
    this.#micros += Math.round(milliseconds * 1000);
    this.#monotonicMs += milliseconds;
  }

  /** Sets the wall clock alone, as an operator or NTP would. */
  setMs(milliseconds: number): void {
    this.#micros = Math.round(milliseconds * 1000);
  }
}
