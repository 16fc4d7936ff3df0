/** What one part cannot know alone: how far the store has read the log, and whether the catalog knows its series. In: what was found in each; out: findings. */
import { join } from 'node:path';
import type { CatalogInspection } from '@fieldline/catalog';
import type { Finding } from '@fieldline/kit';
import { type InspectedPartition, type LogInspection, TOPICS } from '@fieldline/log';
import type { SeriesMeaning, StoreInspection } from '@fieldline/store';

type StoredPosition = StoreInspection['positions'][number];

/** The store may be behind the log (it catches up), not ahead of it, and not behind what retention has deleted. */
export function comparePositions(dataDir: string, log: LogInspection, store: StoreInspection): Finding[] {
  return [
    ...positionsAhead(log, store).map((stored) => lostRecords(dataDir, stored, endOf(log, stored))),
    ...readPositions(store).flatMap((stored) => {
      const bounds = partitionOf(log, stored);
      return bounds !== undefined && stored.next < bounds.first ? [deletedRecords(dataDir, stored, bounds.first)] : [];
    }),
  ];
}

/** Where the store has read farther than the log reaches. */
export function positionsAhead(log: LogInspection, store: StoreInspection): StoredPosition[] {
  return readPositions(store).filter((stored) => stored.next > endOf(log, stored));
}

/** The first position behind the partition's records; 0 where it has none. */
export function endOf(log: LogInspection, stored: StoredPosition): number {
  return partitionOf(log, stored)?.next ?? 0;
}

/** Other positions are how far replays were. */
function readPositions({ positions }: StoreInspection): StoredPosition[] {
  return positions.filter(({ topic }) => (TOPICS as readonly string[]).includes(topic));
}

function partitionOf({ partitions }: LogInspection, stored: StoredPosition): InspectedPartition | undefined {
  return partitions.find(({ topic, partition }) => topic === stored.topic && partition === stored.partition);
}

function lostRecords(dataDir: string, { topic, partition, next }: StoredPosition, end: number): Finding {
  return {
    file: join(dataDir, 'log', topic, String(partition)),
    place: `records ${end} to ${next - 1}`,
    meaning:
      'the store holds samples of them and the log ends before: records that were not stored yet may be lost too',
    remedy: 'restore the log from a backup; or start, or --repair: the log goes on behind them, without them',
    mend: 'restart',
  };
}

function deletedRecords(dataDir: string, { topic, partition, next }: StoredPosition, first: number): Finding {
  return {
    file: join(dataDir, 'log', topic, String(partition)),
    place: `records ${next} to ${first - 1}`,
    meaning: 'retention has deleted them before they were stored: their samples are lost',
    remedy: 'keep the log longer (log.rawRetentionHours, log.rawRetentionBytes)',
    mend: 'none',
  };
}

const SERIES_TOLD_MAX = 3;

/** A catalog from before some series does not know them; one of another time may mean other things by their numbers. */
export function compareSeries(
  dataDir: string,
  stored: readonly SeriesMeaning[],
  { known }: CatalogInspection,
): Finding[] {
  if (known === null) return [];
  const meanings = new Map(known.series.map((series) => [series.id, series]));
  const devices = new Set(known.deviceIds);
  const unknown = stored.filter(({ id }) => !meanings.has(id));
  const tell = (series: readonly SeriesMeaning[], what: string, remedy: string, mend: Finding['mend']): Finding[] =>
    series.length === 0 ? [] : [{ file: join(dataDir, 'catalog'), place: nameOf(series), meaning: what, remedy, mend }];
  return [
    ...tell(
      stored.filter((series) => meanings.has(series.id) && !isSameSeries(series, meanings.get(series.id)!)),
      'the store means other series by these numbers: the two do not belong together, and the server does not start',
      'restore catalog and store from one backup',
      'none',
    ),
    ...tell(
      unknown.filter(({ subjectId }) => devices.has(subjectId)),
      'the store has samples of series that the catalog does not know: it is older than the store',
      'restore a newer backup; or start: it takes them in again. Look through what was configured since',
      'restart',
    ),
    ...tell(
      unknown.filter(({ subjectId }) => !devices.has(subjectId)),
      'the store has samples of series whose devices the catalog does not know: it is older than the store, and nobody can ask for them',
      'restore a newer backup of the catalog; without one they stay as they are',
      'none',
    ),
  ];
}

function isSameSeries(a: SeriesMeaning, b: SeriesMeaning): boolean {
  return a.organizationId === b.organizationId && a.subjectId === b.subjectId && a.metricKey === b.metricKey;
}

function nameOf(series: readonly SeriesMeaning[]): string {
  const names = series.slice(0, SERIES_TOLD_MAX).map(({ metricKey, subjectId }) => `${metricKey} of ${subjectId}`);
  const more = series.length > SERIES_TOLD_MAX ? [`${series.length - SERIES_TOLD_MAX} more`] : [];
  return `${series.length} series: ${[...names, ...more].join(', ')}`;
}
