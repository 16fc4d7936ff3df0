/** A device's row as JSON, with what is known of its connection right now; a series as a metric. */
import type { Device as DeviceRow } from '@fieldline/catalog';
import type { Device, DeviceMetric } from '@fieldline/contract';
import type { Micros, SeriesDefinition } from '@fieldline/model';
import type { ApiDependencies } from '../../dependencies.ts';
import { isoOrNull, resource } from '../../text.ts';

/** The device as the contract says it. Memory knows the status sooner than the row. */
export function deviceJson({ deviceStatus }: Pick<ApiDependencies, 'deviceStatus'>, row: DeviceRow): Device {
  const live = deviceStatus(row.id);
  const known = live === null || live.status === 'unknown' ? null : live;
  return resource(row, {
    version: row.version,
    key: row.key,
    name: row.name,
    kind: row.kind,
    siteId: row.siteId,
    gatewayId: row.gatewayId,
    lifecycle: row.lifecycle,
    serialNumber: row.serialNumber,
    attributes: { ...row.attributes },
    tags: [...row.tags],
    hasToken: row.hasToken,
    status: known?.status ?? row.connectivityStatus,
    statusSince: isoOrNull(known?.since ?? row.connectivityChangedAt),
    lastSeen: isoOrNull(later(live?.lastSeen ?? null, row.lastSeen)),
  });
}

/** A series as one of the metrics of its device. */
export function metricJson(series: SeriesDefinition): DeviceMetric {
  const { metricKey, valueKind, unit, sourceUnit, scale, offset, minimum, maximum } = series;
  const metadata = { ...series.metadata };
  return { metricKey, valueKind, unit, sourceUnit, scale, offset, minimum, maximum, metadata };
}

function later(a: Micros | null, b: Micros | null): Micros | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
