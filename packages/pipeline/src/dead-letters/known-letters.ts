/**
 * The dead letters that are there already of records that are read again: after a crash, or after `fieldline doctor --repair` has sent
 * the store back to the beginning of the log. With them each letter is written once. In: the topic of dead letters, read
 * backwards as far as it matters; out: whether a letter is known.
 */
import type { Position } from '@fieldline/model';
import { letterKey, sameLetterKey } from './dead-letter.ts';
import type { DeadLetterSource } from './list-dead-letters.ts';
import { lettersBackwards } from './list-dead-letters.ts';

/** Letters in a row of records that are not read again; behind them no others are looked for. */
const OTHERS_IN_A_ROW_MAX = 2000;
/** Letters that are remembered; older ones may be written again, which the list hides where they stand close to each other. */
const KNOWN_MAX = 200_000;

export class KnownLetters {
  /** Records from here on are read for the first time. */
  readonly end: Position;
  readonly #keys: ReadonlySet<string>;

  private constructor(end: Position, keys: ReadonlySet<string>) {
    this.end = end;
    this.#keys = keys;
  }

  /** Those of the records [from, end) of this partition of the raw topic. */
  static async of(
    source: DeadLetterSource,
    { topic, partition, from, end }: { topic: string; partition: number; from: Position; end: Position },
  ): Promise<KnownLetters> {
    const keys = new Set<string>();
    if (from >= end) return new KnownLetters(end, keys);
    for (const bounds of await source.bounds()) {
      let others = 0;
      for await (const letter of lettersBackwards(source, bounds)) {
        const { originalTopic, replays = 0 } = letter.origin.attributes ?? {};
        // A replayed record stands elsewhere in the log than where it stood first.
        const isOne =
          originalTopic === topic &&
          letter.originalPartition === partition &&
          (letter.originalPosition >= from || replays !== 0);
        others = isOne ? 0 : others + 1;
        if (isOne) keys.add(sameLetterKey(letter));
        if (others >= OTHERS_IN_A_ROW_MAX || keys.size >= KNOWN_MAX) break;
      }
    }
    return new KnownLetters(end, keys);
  }

  has(...letter: Parameters<typeof letterKey>): boolean {
    return this.#keys.size > 0 && this.#keys.has(letterKey(...letter));
  }
}
