/** Rates from totals: the difference over the last ten seconds, noted once a second. */

export interface Counts {
  readonly records: number;
  readonly samples: number;
  readonly deadLetters: number;
}

const SPAN_NOTES = 10;

export class Rates {
  readonly #notes: { readonly atMs: number; readonly counts: Counts }[] = [];

  note(counts: Counts, atMs = performance.now()): void {
    this.#notes.push({ atMs, counts });
    if (this.#notes.length > SPAN_NOTES + 1) this.#notes.shift();
  }

  /** Zero until two notes are there. */
  perSecond(): Counts {
    const first = this.#notes[0];
    const last = this.#notes.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs)
      return { records: 0, samples: 0, deadLetters: 0 };
    const seconds = (last.atMs - first.atMs) / 1000;
    const rate = (key: keyof Counts): number => (last.counts[key] - first.counts[key]) / seconds;
    return { records: rate('records'), samples: rate('samples'), deadLetters: rate('deadLetters') };
  }
}
