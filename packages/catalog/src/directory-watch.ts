/**
 * Tells watchers of the directory's changes: reads what is new when a notification comes (and at intervals where one may be
 * lost) and hands it on, in the order of the versions, each once. One reading for all watchers that are up to date.
 */
import { type Logger, messageOf, sleep } from '@fieldline/kit';
import type { DirectoryChange } from '@fieldline/model';
import type { ChangesRead } from './queries/system-directory.ts';

type Listener = (changes: readonly DirectoryChange[]) => void;

interface Watcher {
  version: number;
  readonly listener: Listener;
}

const RETRY_MS = 1_000;

export class DirectoryWatch {
  readonly #read: (afterVersion: number) => Promise<ChangesRead>;
  readonly #logger: Logger;
  readonly #watchers = new Set<Watcher>();
  readonly #ended = new AbortController();
  readonly #timer: NodeJS.Timeout | null;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(read: (afterVersion: number) => Promise<ChangesRead>, pollIntervalMs: number | null, logger: Logger) {
    this.#read = read;
    this.#logger = logger;
    this.#timer = pollIntervalMs === null ? null : setInterval(() => this.wake(), pollIntervalMs);
    this.#timer?.unref();
  }

  watch(afterVersion: number, listener: Listener): () => void {
    const watcher = { version: afterVersion, listener };
    this.#watchers.add(watcher);
    this.wake();
    return () => this.#watchers.delete(watcher);
  }

  /** Something may have changed. */
  wake(): void {
    if (this.#watchers.size === 0 || this.#ended.signal.aborted) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  async close(): Promise<void> {
    this.#ended.abort();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#watchers.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#ended.signal.aborted) {
      this.#again = false;
      try {
        await this.#deliver();
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        this.#logger.warn(
          { error: messageOf(error) },
          'catalog: changes of the directory cannot be read; trying again',
        );
        this.#again = true;
        await sleep(RETRY_MS, this.#ended.signal);
      }
    }
  }

  /** Reads on from the watcher that is furthest behind; each gets what it does not have yet. */
  async #deliver(): Promise<void> {
    const from = Math.min(...[...this.#watchers].map((watcher) => watcher.version));
    if (!Number.isFinite(from)) return;
    const { changes, version, full } = await this.#read(from);
    for (const watcher of this.#watchers) {
      // One that came while we read, and is further behind, is served in the next round.
      if (watcher.version < from) {
        this.#again = true;
        continue;
      }
      const fresh = changes.filter((change) => change.version > watcher.version);
      watcher.version = Math.max(watcher.version, version);
      if (fresh.length > 0) watcher.listener(fresh);
    }
    if (full) this.#again = true;
  }
}
