/** A run over the log of a plant in memory, for tests. */
import { FieldlineError, silentLogger, systemClock } from '@fieldline/kit';
import type { DirectoryDevice, LoggedBatch } from '@fieldline/model';
import { directoryOf, MemorySink, ORGANIZATION, type Plant, type StoredSample, T0 } from '../testing.ts';
import type { HistoryCheckpoint, HistoryOptions, HistorySelection } from './history.ts';
import { runHistory } from './run-history.ts';

export const EVERYTHING: HistorySelection = {
  organizationId: ORGANIZATION.id,
  deviceIds: null,
  from: 0,
  to: T0 + 1e12,
};

export interface Run {
  readonly sink: MemorySink;
  readonly end: HistoryCheckpoint;
}

/** Everything into a sink of its own, unless told otherwise. `damaged` reads in place of the log where it gives a promise. */
export async function runOf(
  { source, registry }: Plant,
  devices: readonly DirectoryDevice[],
  more: Partial<HistoryOptions> = {},
  sink = new MemorySink(),
  signal = new AbortController().signal,
  damaged?: (from: number) => Promise<LoggedBatch | null>,
): Promise<Run> {
  const positionAtTime = async (_: number, time: number): Promise<number> => {
    const found = source.records.findIndex(({ receivedTime }, at) => at >= source.first && receivedTime >= time);
    return found === -1 ? source.records.length : found;
  };
  const end = await runHistory(
    {
      source: {
        topic: 'telemetry.raw',
        partitions: [0],
        read: async (partition, from, { recordsMax, ...options }) => {
          const batch = await (damaged?.(from) ?? source.read(partition, from, { ...options, waitMs: 0 }));
          return batch === null ? null : { ...batch, count: Math.min(batch.count, recordsMax) };
        },
        bounds: () => source.bounds(),
        positionAtTime,
      },
      sink,
      name: 'run',
      directory: directoryOf(devices, [...registry.made.values()]),
      selection: EVERYTHING,
      checkpoint: null,
      pace: { speed: null, loadPercentMax: 100, liveLag: async () => 0, liveLagMax: 1000 },
      onProgress: async () => {},
      clock: systemClock,
      logger: silentLogger,
      registerSeries: (requests) => registry.register(requests),
      registerDevice: async () => Promise.reject(new FieldlineError('FORBIDDEN', 'not here')),
      ...more,
    },
    signal,
  );
  return { sink, end };
}

/** Every column of every sample, in one order. */
export function rowsOf(sink: MemorySink): [string, StoredSample][] {
  return [...sink.samples.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
}
