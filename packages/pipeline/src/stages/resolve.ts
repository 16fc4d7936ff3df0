/**
 * resolve: metric name → series, by the route of each record. A sample costs one look-up by name, or none where it repeats the
 * one before. Metrics without a series are gathered for the whole batch; whoever runs the stage registers them
 * (requestsFor), then resolves them (resolveMissing). Refused metrics are asked for again, never remembered.
 */
import { METRIC_KEY_LENGTH_MAX, type SeriesRequest, type ValueKind } from '@fieldline/model';
import type { Route } from '../routes.ts';
import { KIND_BOOLEAN, KIND_TEXT, type SeriesState } from '../series-state.ts';
import type { Refusal, Work } from '../work.ts';

const UNIT_LENGTH_MAX = 64;

/** Fills work.series; returns the rows whose metric has no series yet. */
export function resolve(work: Work): number[] {
  const { batch, decoded, routes, series } = work;
  const { recordIndex, metric: metrics, count } = decoded;
  const missing: number[] = [];
  let lastRecord = -1;
  let route: Route | null = null;
  let lastRoute: Route | null = null;
  let lastMetric = '';
  let found: SeriesState | undefined;
  for (let row = 0; row < count; row++) {
    const record = recordIndex[row]!;
    if (record !== lastRecord) {
      lastRecord = record;
      route = routes[batch.originIndex[record]!]!;
    }
    const metric = metrics[row]!;
    if (metric !== lastMetric || route !== lastRoute) {
      lastRoute = route;
      lastMetric = metric;
      found = route!.series.get(metric) ?? seriesOf(route!, metric);
    }
    if (found === undefined) {
      series[row] = null;
      missing.push(row);
    } else series[row] = found;
  }
  return missing;
}

/** The first look at a metric on this route: its device may have the series already. */
function seriesOf(route: Route, metric: string): SeriesState | undefined {
  const found = route.device!.series.get(route.keyOf(metric));
  if (found !== undefined) route.series.set(metric, found);
  return found;
}

/**
 * What is to be registered for the missing rows, each metric once. Rows that cannot have a series are left out: resolveMissing
 * refuses them.
 * @param nowMs monotonic; devices that are full until later are not asked for
 */
export function requestsFor(work: Work, missing: readonly number[], nowMs: number): SeriesRequest[] {
  const requests = new Map<string, SeriesRequest>();
  const { decoded } = work;
  let lastRoute: Route | null = null;
  let lastMetric = '';
  for (const row of missing) {
    const route = work.routeOf(decoded.recordIndex[row]!);
    const metric = decoded.metric[row]!;
    if (route === lastRoute && metric === lastMetric) continue;
    lastRoute = route;
    lastMetric = metric;
    const metricKey = route.keyOf(metric);
    const { device, series, fullUntilMs } = route.device!;
    if (fullUntilMs > nowMs || series.has(metricKey) || !isMetricKey(metricKey)) continue;
    const name = requestName(device.id, metricKey);
    if (requests.has(name)) continue;
    const unit = decoded.units.get(row);
    requests.set(name, {
      organizationId: device.organizationId,
      subjectKind: 'device',
      subjectId: device.id,
      metricKey,
      valueKind: kindOf(decoded.valueKind[row]!),
      ...(unit !== undefined && isUnit(unit) && { unit }),
    });
  }
  return [...requests.values()];
}

/** What a refusal of a series is kept under. */
export function requestName(deviceId: string, metricKey: string): string {
  return `${deviceId}/${metricKey}`;
}

/** Resolves the missing rows after registration; a metric that still has no series is refused with the reason that was given. */
export function resolveMissing(work: Work, missing: readonly number[], refusals: ReadonlyMap<string, Refusal>): void {
  const { decoded, series } = work;
  for (const row of missing) {
    const route = work.routeOf(decoded.recordIndex[row]!);
    const metric = decoded.metric[row]!;
    const found = route.series.get(metric) ?? seriesOf(route, metric);
    if (found !== undefined) {
      series[row] = found;
      continue;
    }
    const metricKey = route.keyOf(metric);
    const device = route.device!;
    const { code, message } = !isMetricKey(metricKey)
      ? keyRefusal(metricKey)
      : (refusals.get(requestName(device.device.id, metricKey)) ??
        (device.fullUntilMs > 0 ? limitRefusal(metricKey) : removedRefusal(metricKey)));
    work.refuse(row, code, message);
  }
}

/** The device has as many series as it may have. */
export function limitRefusal(metricKey: string): Refusal {
  const message = `metric "${metricKey}" would be one more than this device may have; delete unused metrics or raise pipeline.seriesPerDeviceMax, then replay`;
  return { code: 'SERIES_LIMIT', message };
}

/** The device went away while its series was being registered. */
export function removedRefusal(metricKey: string): Refusal {
  return { code: 'DEVICE_UNKNOWN', message: `the device of metric "${metricKey}" was deleted meanwhile` };
}

function keyRefusal(metricKey: string): Refusal {
  const message = `metric key of ${metricKey.length} characters; it takes 1 to ${METRIC_KEY_LENGTH_MAX} without control characters`;
  return { code: 'METRIC_KEY_INVALID', message };
}

/** The codec has looked at the name, but the mapping may have made it longer. */
function isMetricKey(metricKey: string): boolean {
  return metricKey.length > 0 && metricKey.length <= METRIC_KEY_LENGTH_MAX && isClean(metricKey);
}

/** A unit that is no text worth keeping is left out; it is only a description. */
function isUnit(unit: string): boolean {
  return unit.length > 0 && unit.length <= UNIT_LENGTH_MAX && isClean(unit);
}

function isClean(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/[\u0000-\u001f\u007f-\u009f]/.test(text) && text.isWellFormed();
}

function kindOf(code: number): ValueKind {
  if (code === KIND_TEXT) return 'text';
  return code === KIND_BOOLEAN ? 'boolean' : 'number';
}
