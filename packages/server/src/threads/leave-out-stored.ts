/**
 * A log that was lost, or restored from an older backup, would give positions again that the store has taken in already; what
 * comes with them would never be read. The store says how far it is, and the log goes on behind that. What the doors took in
 * before the store could say so is appended once more behind it: a copy of a sample that is there already changes nothing.
 */
import type { Logger, Remote } from '@fieldline/kit';
import type { LogReader, PartitionBounds, TopicName } from '@fieldline/log';
import type { TelemetryStore } from '@fieldline/store';
import type { LogHost } from './messages.ts';

export interface LeaveOutOptions {
  readonly topic: TopicName;
  /** The partitions before anything was appended that may not have been read: see opened-at.ts. */
  readonly openedAt: readonly PartitionBounds[];
  readonly store: Pick<TelemetryStore, 'acquire'>;
  readonly reader: Pick<LogReader, 'read' | 'bounds'>;
  readonly writer: Pick<Remote<LogHost>, 'append' | 'advance'>;
  readonly logger: Logger;
}

/** Resolves when every record that is not stored stands at a position that is not stored. Before the pipeline reads. */
export async function leaveOutStored(options: LeaveOutOptions): Promise<void> {
  const { topic, openedAt, store, writer, logger } = options;
  for (const { partition, next: logEnd } of openedAt) {
    const stored = await store.acquire(topic, partition);
    if (stored.next <= logEnd) continue;
    logger.error(
      { partition, logEnd, stored: stored.next },
      'the log ends before what is stored already: records that were not stored yet may be lost with it; it goes on behind them',
    );
    await writer.advance(topic, partition, stored.next);
    await appendAgain(options, partition, logEnd, stored.next);
  }
}

async function appendAgain(
  { topic, reader, writer }: LeaveOutOptions,
  partition: number,
  from: number,
  to: number,
): Promise<void> {
  const { first } = (await reader.bounds(topic))[partition]!;
  for (let next = Math.max(first, from); next < to; ) {
    const early = await reader.read(topic, partition, next, { waitMs: 0, recordsMax: to - next });
    if (early === null || early.firstPosition >= to) return;
    await writer.append(topic, early);
    next = early.firstPosition + early.count;
  }
}
