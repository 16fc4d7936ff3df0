/**
 * Keeps copies of an embedded catalog up to date: soon after something that is configured has changed, and when it is closed.
 * It waits so long between two that copying takes at most a twentieth of the time. A copy that cannot be made is told and tried
 * again; the catalog goes on.
 */
import { type Clock, type Logger, messageOf } from '@fieldline/kit';
import { type CatalogCopy, listCopies, readCopy, writeCopy } from './copy-file.ts';
import { type Ask, countChanges, takeCopy } from './take-copy.ts';

const LOOK_AFTER_MS = 2_000;
const REST_FACTOR = 20;

export interface CopyKeeperOptions {
  readonly folder: string;
  /** Runs the work while nobody else uses the database. */
  readonly inTurn: <T>(work: (ask: Ask) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From a change to the copy. Default 2 s. */
  readonly lookAfterMs?: number;
}

export class CopyKeeper {
  readonly #options: CopyKeeperOptions;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #waitMs: number;
  /** Count of changes in the newest copy. */
  #copied = '';
  #problem = '';
  #closed = false;

  constructor(options: CopyKeeperOptions) {
    this.#options = options;
    this.#waitMs = options.lookAfterMs ?? LOOK_AFTER_MS;
  }

  /** Something may have changed. */
  note(): void {
    if (this.#closed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      // What changes from now on asks for another one.
      this.#timer = null;
      this.#running = this.#running.then(() => this.#look());
    }, this.#waitMs);
    this.#timer.unref();
  }

  /** Makes the last copy. The database must still answer. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    await this.#look();
  }

  async #look(): Promise<void> {
    const { folder, inTurn, clock, logger, lookAfterMs = LOOK_AFTER_MS } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const copy = await inTurn(async (ask) => {
        const changes = await countChanges(ask);
        if (changes === this.#copied && (await listCopies(folder)).length > 0) return null;
        return { changes, content: await takeCopy(ask, new Date(clock.nowMs()).toISOString()) };
      });
      if (copy === null) return;
      // The last run may have left a copy of just this.
      if (this.#copied !== '' || !(await isNewest(folder, copy.content))) await writeCopy(folder, copy.content);
      this.#copied = copy.changes;
      this.#problem = '';
    } catch (error) {
      const problem = messageOf(error);
      // Told once, not with each change for as long as it lasts.
      if (problem !== this.#problem) {
        logger.warn({ error: problem }, 'the catalog could not be copied; tried again with its next change');
      }
      this.#problem = problem;
    } finally {
      this.#waitMs = Math.max(lookAfterMs, REST_FACTOR * (clock.monotonicMs() - startedMs));
    }
  }
}

async function isNewest(folder: string, { schemaVersion, rows }: CatalogCopy): Promise<boolean> {
  const [newest] = await listCopies(folder);
  if (newest === undefined) return false;
  const before = await readCopy(newest.path).catch(() => null); // A damaged one is none.
  return before !== null && before.schemaVersion === schemaVersion && before.rows.join('\n') === rows.join('\n');
}
