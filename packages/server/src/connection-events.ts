/** What the broker says about connections, as events for the log, gathered so that a storm of reconnects is a few appends. */
import { type Logger, messageOf } from '@fieldline/kit';
import { type DomainEvent, type EventType, newId, type Origin, type RawBatch, rawBatchOf } from '@fieldline/model';
import type { ConnectionMessage } from './threads/messages.ts';

const EVENT_TYPE: Readonly<Record<ConnectionMessage['change'], EventType>> = {
  connected: 'DEVICE_CONNECTED',
  disconnected: 'DEVICE_DISCONNECTED',
  refused: 'DEVICE_CONNECT_REFUSED',
};

/** The event that a change of a connection is. */
export function connectionEvent(message: ConnectionMessage): DomainEvent {
  return {
    id: newId(message.time / 1000),
    organizationId: message.organizationId,
    type: EVENT_TYPE[message.change],
    subjectKind: 'device',
    subjectId: message.deviceId,
    time: message.time,
    payload: { reason: message.reason },
  };
}

/** Events as raw records of the `events` topic: one JSON text each, keyed by their subject. */
export function eventBatch(events: readonly DomainEvent[]): RawBatch {
  return rawBatchOf(
    events.map((event) => ({
      origin: originOf(event),
      receivedTime: event.time,
      payload: new TextEncoder().encode(JSON.stringify(event)),
    })),
  );
}

function originOf(event: DomainEvent): Origin {
  return {
    organizationId: event.organizationId,
    deviceId: event.subjectId,
    topic: 'events',
    codec: 'event-json',
    source: 'internal',
    mappingVersion: 0,
  };
}

export interface EventWriterOptions {
  append(batch: RawBatch): Promise<unknown>;
  readonly logger: Logger;
  readonly gatherMs?: number;
  /** Beyond it the oldest events wait no longer and are counted as dropped, with a warning: the log has been away too long. */
  readonly pendingMax?: number;
}

/** Appends events in groups; one group at a time, tried again until the log takes it. */
export class EventWriter {
  readonly #options: Required<EventWriterOptions>;
  #pending: DomainEvent[] = [];
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  dropped = 0;

  constructor(options: EventWriterOptions) {
    this.#options = { gatherMs: 20, pendingMax: 100_000, ...options };
  }

  write(event: DomainEvent): void {
    this.#pending.push(event);
    if (this.#pending.length > this.#options.pendingMax) {
      this.#pending.shift();
      this.dropped += 1;
    }
    this.#schedule(this.#options.gatherMs);
  }

  /** Writes what is pending and resolves when it is durable (or could not be written). */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const events = this.#pending;
    this.#pending = [];
    if (events.length > 0) this.#writing = this.#writing.then(() => this.#append(events));
    await this.#writing;
  }

  async #append(events: DomainEvent[]): Promise<void> {
    try {
      await this.#options.append(eventBatch(events));
    } catch (error) {
      this.#options.logger.warn(
        { eventCount: events.length, error: messageOf(error) },
        'events not yet in the log; tried again',
      );
      this.#pending = [...events, ...this.#pending];
      this.#schedule(1000);
    }
  }

  #schedule(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.flush(), delayMs);
  }
}
