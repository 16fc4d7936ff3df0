/** When each device was last heard of, in memory, told by the pipeline; written to the catalog in bulk now and then. */
import { type Logger, messageOf } from '@fieldline/kit';
import type { Micros } from '@fieldline/model';

export interface LastSeenEntry {
  readonly deviceId: string;
  readonly lastSeen: Micros;
}

export class LastSeen {
  readonly #times = new Map<string, Micros>();
  readonly #dirty = new Set<string>();

  note(deviceIds: readonly string[], times: readonly Micros[]): void {
    for (const [index, deviceId] of deviceIds.entries()) {
      this.#times.set(deviceId, times[index]!);
      this.#dirty.add(deviceId);
    }
  }

  get(deviceId: string): Micros | null {
    return this.#times.get(deviceId) ?? null;
  }

  /** Hands what changed to `write`; keeps it for the next time where that fails. */
  async flush(write: (entries: readonly LastSeenEntry[]) => Promise<void>, logger: Logger): Promise<void> {
    if (this.#dirty.size === 0) return;
    const entries = [...this.#dirty].map((deviceId) => ({ deviceId, lastSeen: this.#times.get(deviceId)! }));
    this.#dirty.clear();
    try {
      await write(entries);
    } catch (error) {
      for (const { deviceId } of entries) this.#dirty.add(deviceId);
      logger.warn(
        { deviceCount: entries.length, error: messageOf(error) },
        'last-seen times not yet in the catalog; tried again',
      );
    }
  }
}
