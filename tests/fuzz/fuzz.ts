/**
 * Coverage-guided fuzzing: changes known inputs, keeps those that reach code that none had reached, changes them further.
 * Inputs run in batches; only where a batch found something new, it is run again, half by half.
 */
import { seededRandom } from '@fieldline/kit';
import { Coverage } from './coverage.ts';
import { below, mutate, oneOf, type Random } from './mutate.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Source files whose code is to be reached, by their URL. */
  readonly watched: RegExp;
  readonly seeds: readonly Buffer[];
  readonly inputBytesMax: number;
  readonly batchSize: number;
  /** Throws, or rejects, only where the program has a bug. */
  run(input: Buffer): void | Promise<void>;
  /** Makes a changed input pass the outermost check, e.g. a length in front; used for half of the inputs. */
  repair?(input: Buffer): Buffer;
}

export interface FuzzResult {
  readonly target: string;
  readonly runCount: number;
  /** Inputs that reached something new, beyond the seeds. */
  readonly kept: readonly Buffer[];
  /** Characters of source that ran: by the seeds alone, and in the end. */
  readonly seedCharacters: number;
  readonly characters: number;
  /** 'error: input in hex', for a person; the run ends with the tenth. */
  readonly failures: readonly string[];
}

const FAILURES_MAX = 10;

export async function fuzz(target: FuzzTarget, seed: number, durationMs: number): Promise<FuzzResult> {
  const run = new FuzzRun(target, seededRandom(seed));
  try {
    return await run.go(durationMs);
  } finally {
    run.coverage.close();
  }
}

class FuzzRun {
  readonly coverage: Coverage;
  readonly #target: FuzzTarget;
  readonly #random: Random;
  readonly #corpus: Buffer[];
  readonly #failures: string[] = [];
  #runCount = 0;

  constructor(target: FuzzTarget, random: Random) {
    this.#target = target;
    this.#random = random;
    this.#corpus = [...target.seeds];
    this.coverage = new Coverage(target.watched);
  }

  async go(durationMs: number): Promise<FuzzResult> {
    const { seeds, batchSize, name } = this.#target;
    for (let from = 0; from < seeds.length; from += batchSize) await this.#runAll(seeds.slice(from, from + batchSize));
    this.coverage.add(this.coverage.take());
    const seedCharacters = this.coverage.characterCount;
    const endMs = performance.now() + durationMs;
    while (performance.now() < endMs && this.#failures.length < FAILURES_MAX) {
      const batch = Array.from({ length: batchSize }, () => this.#nextInput());
      await this.#runAll(batch);
      if (this.coverage.isNew(this.coverage.take())) await this.#keepNew(batch);
    }
    return {
      target: name,
      runCount: this.#runCount,
      kept: this.#corpus.slice(seeds.length),
      seedCharacters,
      characters: this.coverage.characterCount,
      failures: this.#failures,
    };
  }

  /** What was kept last is changed most: it is the farthest. */
  #nextInput(): Buffer {
    const random = this.#random;
    const { seeds, inputBytesMax, repair } = this.#target;
    const newest = this.#corpus.slice(Math.max(seeds.length, this.#corpus.length - 50));
    const parent = newest.length > 0 && random() < 0.5 ? oneOf(random, newest) : oneOf(random, this.#corpus);
    const input = mutate(parent, oneOf(random, this.#corpus), inputBytesMax, random);
    return repair !== undefined && below(random, 2) === 0 ? repair(input) : input;
  }

  /** Halves the batch until the inputs that reached something new stand alone. */
  async #keepNew(batch: readonly Buffer[]): Promise<void> {
    if (batch.length === 1) {
      await this.#runAll(batch);
      if (this.coverage.add(this.coverage.take())) this.#corpus.push(batch[0]!);
      return;
    }
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      await this.#runAll(half);
      if (this.coverage.isNew(this.coverage.take())) await this.#keepNew(half);
    }
  }

  async #runAll(inputs: readonly Buffer[]): Promise<void> {
    this.#runCount += inputs.length;
    await Promise.all(inputs.map((input) => this.#runOne(input)));
  }

  async #runOne(input: Buffer): Promise<void> {
    try {
      const running = this.#target.run(input);
      if (running !== undefined) await running;
    } catch (error) {
      const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#failures.push(`${words}: ${input.toString('hex')}`);
    }
  }
}
