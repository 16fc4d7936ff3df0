/**
 * A catalog that was restored from an older copy does not know the newest series that the store has samples of, and would give
 * their numbers to others. The store says what it knows before anything is registered: the catalog takes those series in again
 * and goes on behind the highest number. Where both know a number and mean different things by it, nothing is touched.
 */
import { FieldlineError, type Logger, type Remote } from '@fieldline/kit';
import type { DirectoryCache, StoredSeries } from '@fieldline/model';
import type { TelemetryStore } from '@fieldline/store';
import type { CatalogGate } from './messages.ts';

export interface AgreeOptions {
  readonly store: Pick<TelemetryStore, 'definedSeries'>;
  readonly directory: Pick<DirectoryCache, 'series' | 'allSeries'>;
  readonly catalog: Pick<Remote<CatalogGate>, 'restoreSeries'>;
  readonly logger: Logger;
}

/** Before the store is told of the catalog's series. Throws CONFIG_CONFLICT where the two do not belong together. */
export async function agreeOnSeries({ store, directory, catalog, logger }: AgreeOptions): Promise<void> {
  const { series, highestId } = await store.definedSeries();
  const unknown: StoredSeries[] = [];
  for (const stored of series) {
    const known = directory.series(stored.id);
    if (known === undefined) unknown.push(stored);
    else if (!isSame(stored, known)) throw contradiction(stored, known);
  }
  let highestKnownId = 0;
  for (const { id } of directory.allSeries()) highestKnownId = Math.max(highestKnownId, id);
  if (unknown.length === 0 && highestId <= highestKnownId) return;
  const restored = await catalog.restoreSeries(unknown, highestId);
  const left = unknown.length - restored;
  if (restored > 0) {
    logger.warn(
      { seriesCount: restored },
      'the catalog is older than the store: series that it did not know were registered again; look through what was configured since',
    );
  }
  if (left > 0) {
    logger.warn(
      { seriesCount: left },
      'the store holds samples of series whose devices the catalog does not know: they are kept, and nobody can ask for them',
    );
  }
}

type Meaning = Pick<StoredSeries, 'id' | 'organizationId' | 'subjectId' | 'metricKey'>;

function isSame(a: Meaning, b: Meaning): boolean {
  return a.organizationId === b.organizationId && a.subjectId === b.subjectId && a.metricKey === b.metricKey;
}

function contradiction(stored: Meaning, known: Meaning): FieldlineError {
  const name = ({ subjectId, metricKey }: Meaning): string => `${metricKey} of ${subjectId}`;
  return new FieldlineError(
    'CONFIG_CONFLICT',
    `series ${stored.id} is ${name(stored)} in the store and ${name(known)} in the catalog, so they do not belong together; restore catalog and store from one backup`,
    { details: { seriesId: stored.id } },
  );
}
