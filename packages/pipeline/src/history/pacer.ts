/**
 * Holds a run over history back: to a multiple of the pace at which the records came, to a share of the processor, and to what
 * live ingestion leaves. Every wait ends when the signal aborts.
 */
import { type Clock, sleep } from '@fieldline/kit';
import { MICROS_PER_MILLI, type Micros } from '@fieldline/model';
import type { HistoryPace } from './history.ts';

const REST_MS = 100;
const WAIT_MAX_MS = 1000;

export class Pacer {
  readonly #pace: HistoryPace;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #start: { readonly atMs: number; readonly received: Micros } | null = null;
  #workedSinceMs: number;

  constructor(pace: HistoryPace, clock: Clock, signal: AbortSignal) {
    this.#pace = pace;
    this.#clock = clock;
    this.#signal = signal;
    this.#workedSinceMs = clock.monotonicMs();
  }

  /** Records received up to this time may be processed now. Waits until the first of them, received at `received`, is due. */
  async dueUpTo(received: Micros): Promise<Micros> {
    const { speed } = this.#pace;
    if (speed === null) return Number.POSITIVE_INFINITY;
    this.#start ??= { atMs: this.#clock.monotonicMs(), received };
    const { atMs, received: first } = this.#start;
    for (;;) {
      const due = first + (this.#clock.monotonicMs() - atMs) * MICROS_PER_MILLI * speed;
      if (due >= received || this.#signal.aborted) return due;
      await this.#wait(Math.min(WAIT_MAX_MS, Math.ceil((received - due) / MICROS_PER_MILLI / speed)));
    }
  }

  /** Called after each piece of work: rests as its share demands, and for as long as live ingestion is behind. */
  async rest(): Promise<void> {
    const { loadPercentMax, liveLagMax } = this.#pace;
    const workedMs = this.#clock.monotonicMs() - this.#workedSinceMs;
    if (loadPercentMax < 100) await this.#wait((workedMs * (100 - loadPercentMax)) / loadPercentMax);
    while (!this.#signal.aborted && (await this.#pace.liveLag()) > liveLagMax) await this.#wait(REST_MS);
    this.#workedSinceMs = this.#clock.monotonicMs();
  }

  async #wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds, this.#signal);
    this.#workedSinceMs = this.#clock.monotonicMs();
  }
}
