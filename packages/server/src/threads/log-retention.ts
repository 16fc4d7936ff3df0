/**
 * Retention of the log: what is past its age or size is deleted, but nothing that is not stored or taken in yet: acknowledged means
 * kept, also where the store is away for longer than retention lasts. A disk that fills up meanwhile is the answer to
 * "full" (nothing more is acknowledged); what is kept for that reason is told.
 */
import { type Clock, type Logger, messageOf } from '@fieldline/kit';
import type { Log, NeededFrom } from '@fieldline/log';
import type { Position } from '@fieldline/model';

export interface LogRetentionOptions {
  readonly log: Pick<Log, 'enforceRetention' | 'committedPosition' | 'bounds'>;
  /** The consumer group that takes events into the catalog. */
  readonly eventsGroup: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class LogRetention {
  readonly #options: LogRetentionOptions;
  /** By partition of telemetry.raw; nothing is known until the store is open. */
  readonly #stored = new Map<number, Position>();

  constructor(options: LogRetentionOptions) {
    this.#options = options;
  }

  storedUpTo(partition: number, position: Position): void {
    this.#stored.set(partition, position);
  }

  /** Deletes what may be deleted; an error is told, and it is tried again at the next call. */
  async enforce(): Promise<void> {
    const { log, clock, logger } = this.#options;
    try {
      await log.enforceRetention(clock.nowMicros(), await this.#neededFrom());
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'old records of the log could not be deleted; tried again in a minute');
    }
  }

  async #neededFrom(): Promise<NeededFrom> {
    const { log, eventsGroup } = this.#options;
    const events = new Map<number, Position>();
    for (const { partition } of await log.bounds('events')) {
      events.set(partition, (await log.committedPosition(eventsGroup, 'events', partition)) ?? 0);
    }
    return (topic, partition) => {
      if (topic === 'telemetry.raw') return this.#stored.get(partition) ?? 0;
      return topic === 'events' ? (events.get(partition) ?? 0) : null;
    };
  }
}
