/**
 * Which characters of the watched source files have run, asked from V8 itself (precise block coverage over the inspector). It
 * tells whether an input went where none had been before.
 */
import { type Profiler, Session } from 'node:inspector';

export class Coverage {
  readonly #watched: RegExp;
  readonly #session = new Session();
  /** One byte a character of the source: 1 = has run. */
  readonly #seen = new Map<string, Uint8Array>();

  /** Scripts whose URL matches are watched. */
  constructor(watched: RegExp) {
    this.#watched = watched;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    this.take();
  }

  get characterCount(): number {
    let count = 0;
    for (const seen of this.#seen.values()) for (const one of seen) count += one;
    return count;
  }

  /** Scripts that were seen to run. */
  get scriptCount(): number {
    return this.#seen.size;
  }

  /** What has run since the last call. */
  take(): readonly Profiler.ScriptCoverage[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    // Answers within the call: the session is in this thread.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error;
      scripts = result.filter(({ url }) => this.#watched.test(url));
    });
    return scripts;
  }

  /** True where one of the characters that ran had not run before. */
  isNew(scripts: readonly Profiler.ScriptCoverage[]): boolean {
    return this.#merge(scripts, false);
  }

  /** Writes down what ran; true where some of it is new. */
  add(scripts: readonly Profiler.ScriptCoverage[]): boolean {
    return this.#merge(scripts, true);
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  #merge(scripts: readonly Profiler.ScriptCoverage[], keep: boolean): boolean {
    let isNew = false;
    for (const { url, functions } of scripts) {
      for (const { ranges } of functions) {
        if (ranges[0]!.count === 0) continue;
        isNew = this.#paint(url, ranges, keep) || isNew;
      }
    }
    return isNew;
  }

  /** The first range is the function; those inside it have counts of their own, 0 where they did not run. */
  #paint(url: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): boolean {
    const { startOffset, endOffset } = ranges[0]!;
    const ran = new Uint8Array(endOffset - startOffset);
    for (const range of ranges) {
      ran.fill(range.count > 0 ? 1 : 0, range.startOffset - startOffset, range.endOffset - startOffset);
    }
    const seen = this.#seenOf(url, endOffset);
    let isNew = false;
    for (let index = 0; index < ran.length; index++) {
      if (ran[index] === 0 || seen[startOffset + index] === 1) continue;
      isNew = true;
      if (!keep) break;
      seen[startOffset + index] = 1;
    }
    return isNew;
  }

  #seenOf(url: string, length: number): Uint8Array {
    const seen = this.#seen.get(url) ?? new Uint8Array(0);
    if (seen.length >= length) return seen;
    const longer = new Uint8Array(length);
    longer.set(seen);
    this.#seen.set(url, longer);
    return longer;
  }
}
