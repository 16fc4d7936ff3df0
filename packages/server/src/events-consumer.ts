/**
 * Takes events from the log into the catalog's table and tells live screens. It may take an event twice (a crash between
 * insert and commit): the catalog knows events by their id. Its position is the group 'catalog-events'.
 */
import { Backoff, type Logger, messageOf, Service, sleep } from '@fieldline/kit';
import type { LogReader } from '@fieldline/log';
import { type DomainEvent, type Position, payloadOf } from '@fieldline/model';

/** The consumer's name in the log. */
export const EVENTS_GROUP = 'catalog-events';
const TOPIC = 'events';

export interface EventsConsumerOptions {
  readonly reader: LogReader;
  readonly logger: Logger;
  commitPosition(group: string, topic: typeof TOPIC, partition: number, position: Position): Promise<void>;
  insertEvents(events: readonly DomainEvent[]): Promise<number>;
  onEvents(events: readonly DomainEvent[]): void;
}

/** The consumer as a service; it reads one partition after the other's task, each in its own loop. */
export function createEventsConsumer(options: EventsConsumerOptions): Service {
  const stopping = new AbortController();
  let problem: string | null = null;
  let loops: Promise<void>[] = [];
  const follow = async (partition: number): Promise<void> => {
    const backoff = new Backoff();
    while (!stopping.signal.aborted) {
      try {
        await readOn(options, partition, stopping.signal);
        problem = null;
        backoff.reset();
      } catch (error) {
        if (stopping.signal.aborted) return;
        problem = `events are not taken into the catalog: ${messageOf(error)}`;
        options.logger.warn({ partition, error: messageOf(error) }, problem);
        await sleep(backoff.nextMs(), stopping.signal);
      }
    }
  };
  return new Service('events', {
    start: async () => {
      const bounds = await options.reader.bounds(TOPIC);
      loops = bounds.map(({ partition }) => follow(partition));
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
    problem: () => problem,
  });
}

/** Reads until it is stopped or something fails. */
async function readOn(options: EventsConsumerOptions, partition: number, signal: AbortSignal): Promise<void> {
  const { reader } = options;
  const stored = await reader.committedPosition(EVENTS_GROUP, TOPIC, partition);
  const bounds = (await reader.bounds(TOPIC)).find((candidate) => candidate.partition === partition);
  let next = Math.max(stored ?? 0, bounds?.first ?? 0);
  while (!signal.aborted) {
    const batch = await reader.read(TOPIC, partition, next, { waitMs: 5000, bytesMax: 1024 * 1024, signal });
    if (batch === null || batch.count === 0) continue;
    const events: DomainEvent[] = [];
    for (let index = 0; index < batch.count; index++) events.push(parse(payloadOf(batch, index)));
    await options.insertEvents(events);
    next = batch.firstPosition + batch.count;
    await options.commitPosition(EVENTS_GROUP, TOPIC, partition, next);
    options.onEvents(events);
  }
}

function parse(payload: Uint8Array): DomainEvent {
  return JSON.parse(new TextDecoder().decode(payload)) as DomainEvent;
}
