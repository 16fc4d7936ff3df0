/**
 * From what a caller asks for (a device, metric keys) to series that this caller may read. The one gate to telemetry: series
 * ids are never taken from a request, they follow from a device that the caller's scope shows.
 */
import { FieldlineError } from '@fieldline/kit';
import type { DirectoryDevice, SeriesDefinition } from '@fieldline/model';
import type { ApiDependencies } from '../../dependencies.ts';
import { type Principal, scopeOf, seesSite } from '../../principal.ts';
import { notFound } from '../../text.ts';

export const SERIES_MAX = 100;

type Lookup = Pick<ApiDependencies, 'directory' | 'catalog'>;
type VisibleDevice = Pick<DirectoryDevice, 'id' | 'organizationId' | 'siteId'>;

/** The device by id or key, from memory; NOT_FOUND where it is not there or the caller must not know. */
export async function visibleDevice(lookup: Lookup, principal: Principal, idOrKey: string): Promise<VisibleDevice> {
  const device = lookup.directory.findDevice(principal.organizationId, idOrKey);
  if (device !== undefined) {
    if (!seesSite(principal, device.siteId)) throw notFound('device', idOrKey);
    return device;
  }
  // Made a moment ago: the directory hears of it a little later.
  const row = await lookup.catalog.scoped(scopeOf(principal)).devices.get(idOrKey);
  if (row === null) throw notFound('device', idOrKey);
  return row;
}

/** The series of these metrics (all where none are named). Metrics that the device has not sent yet have none. */
export function seriesOfDevice(
  { directory }: Lookup,
  device: VisibleDevice,
  metricKeys: readonly string[] | null,
): SeriesDefinition[] {
  const known = directory.seriesOf(device.id);
  if (known === undefined) return [];
  const series =
    metricKeys === null ? [...known.values()] : metricKeys.flatMap((metricKey) => known.get(metricKey) ?? []);
  if (series.length > SERIES_MAX) {
    throw new FieldlineError(
      'BAD_REQUEST',
      `${series.length} metrics at once are more than ${SERIES_MAX}; name some with metricKey`,
    );
  }
  return series;
}

/** Metric keys as they stand in a query: repeated, or separated by commas (unless the device has a metric of that very name). */
export function parseMetricKeys(
  { directory }: Lookup,
  device: VisibleDevice,
  asked: string | readonly string[] | undefined,
): string[] | null {
  if (asked === undefined || asked === '') return null;
  const known = directory.seriesOf(device.id);
  const parts = typeof asked === 'string' ? [asked] : asked;
  const keys = parts.flatMap((part) =>
    known?.has(part) === true ? [part] : part.split(',').filter((key) => key !== ''),
  );
  return [...new Set(keys)];
}

/** Metric keys of a sensor type: the metric of that name, or all whose name begins with it and a dot. */
export function keysOfSensor({ directory }: Lookup, device: VisibleDevice, sensorType: string): string[] {
  const known = [...(directory.seriesOf(device.id)?.keys() ?? [])];
  const keys = known.filter((key) => key === sensorType || key.startsWith(`${sensorType}.`));
  return keys.length === 0 ? [sensorType] : keys;
}
