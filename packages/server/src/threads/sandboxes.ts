/**
 * Sandboxes: telemetry stores beside the live one, a folder for each replay. Opened when they are asked for, closed when nobody
 * has asked for a while: an open one takes memory, and they are looked at seldom.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldlineError, type Logger, messageOf, systemClock } from '@fieldline/kit';
import { type DuckdbStore, openDuckdbStore } from '@fieldline/store';

const MEMORY_BYTES = 128 * 1024 * 1024;
/** Sandboxes that are open at a time beside those that are being filled; one more is refused for the moment. */
const OPEN_MAX = 4;
const IDLE_CLOSE_MS = 30_000;
const MAINTAIN_INTERVAL_MS = 5_000;

interface Sandbox {
  readonly store: Promise<DuckdbStore>;
  users: number;
  idleTimer: NodeJS.Timeout | null;
}

export class Sandboxes {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #open = new Map<string, Sandbox>();
  readonly #closing = new Map<string, Promise<void>>();

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Asks a sandbox that is there. NOT_FOUND where it is not, OVERLOADED where too many are open. */
  async read<T>(id: string, question: (store: DuckdbStore) => Promise<T>): Promise<T> {
    if (!existsSync(this.#folderOf(id))) {
      const why = 'the replay has not begun yet, or it was deleted because of its age';
      throw new FieldlineError('NOT_FOUND', `there is no sandbox of job ${id}: ${why}`);
    }
    if (!this.#open.has(id) && this.#open.size >= OPEN_MAX) {
      const sentence = `${OPEN_MAX} sandboxes are being looked at already; try again in half a minute`;
      throw new FieldlineError('OVERLOADED', sentence, { details: { retryAfterSeconds: 30 } });
    }
    return this.#use(id, question);
  }

  /** Makes the sandbox where it is not there, and fills it. Its background work is done meanwhile. */
  fill<T>(id: string, work: (store: DuckdbStore) => Promise<T>): Promise<T> {
    return this.#use(id, async (store) => {
      let maintenance: Promise<void> | null = null;
      const maintain = (): void => {
        maintenance ??= store
          .maintain(systemClock.nowMicros())
          .catch((error) => this.#logger.warn({ sandbox: id, error: messageOf(error) }, 'a sandbox was not tidied'))
          .finally(() => {
            maintenance = null;
          });
      };
      const timer = setInterval(maintain, MAINTAIN_INTERVAL_MS);
      try {
        return await work(store);
      } finally {
        clearInterval(timer);
        await maintenance;
      }
    });
  }

  /** Deletes it, where it is there, once nobody uses it. */
  async remove(id: string): Promise<void> {
    const sandbox = this.#open.get(id);
    if (sandbox !== undefined && sandbox.users > 0) {
      throw new FieldlineError('CONFLICT', `the sandbox of job ${id} is in use; it is deleted later`);
    }
    await this.#close(id);
    await rm(this.#folderOf(id), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.#close(id)));
    await Promise.all(this.#closing.values());
  }

  async #use<T>(id: string, work: (store: DuckdbStore) => Promise<T>): Promise<T> {
    // Two openings of the same files would not see each other.
    while (this.#closing.has(id)) await this.#closing.get(id);
    const sandbox = this.#open.get(id) ?? this.#opened(id);
    sandbox.users += 1;
    if (sandbox.idleTimer !== null) clearTimeout(sandbox.idleTimer);
    try {
      return await work(await sandbox.store);
    } finally {
      sandbox.users -= 1;
      if (sandbox.users === 0) sandbox.idleTimer = setTimeout(() => void this.#close(id), IDLE_CLOSE_MS);
    }
  }

  #opened(id: string): Sandbox {
    const store = openDuckdbStore({
      dir: this.#folderOf(id),
      memoryLimitBytes: MEMORY_BYTES,
      threads: 1,
      readConnections: 1,
      retention: { rawMs: null, hourlyMs: null, dailyMs: null },
      clock: systemClock,
      logger: this.#logger,
    });
    const sandbox: Sandbox = { store, users: 0, idleTimer: null };
    this.#open.set(id, sandbox);
    // Told to whoever asked; the next one tries to open it again.
    store.catch(() => this.#open.delete(id));
    return sandbox;
  }

  async #close(id: string): Promise<void> {
    const sandbox = this.#open.get(id);
    if (sandbox === undefined) return this.#closing.get(id);
    if (sandbox.idleTimer !== null) clearTimeout(sandbox.idleTimer);
    this.#open.delete(id);
    const closing = sandbox.store
      .then((store) => store.close())
      .catch((error) => this.#logger.warn({ sandbox: id, error: messageOf(error) }, 'a sandbox did not close cleanly'))
      .finally(() => this.#closing.delete(id));
    this.#closing.set(id, closing);
    await closing;
  }

  #folderOf(id: string): string {
    return join(this.#folder, id);
  }
}
