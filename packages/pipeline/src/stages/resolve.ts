/**
 * resolve: origin → device, metric name → series. The way of each origin (its route) is worked out once and kept until the
 * directory changes; after that a sample costs one look-up by metric name, or none where it repeats the one before.
 * Metrics without a series are gathered for the whole batch; whoever runs the stage registers them and resolves again.
 */
import type { ErrorCode } from '@fieldline/kit';
import {
  type DirectoryCache,
  fillTemplate,
  METRIC_KEY_LENGTH_MAX,
  type Origin,
  type SeriesDefinition,
  type SeriesRequest,
  TopicMatcher,
  type ValueKind,
} from '@fieldline/model';
import { DeviceState, KIND_BOOLEAN, KIND_TEXT, SeriesState } from '../series-state.ts';
import type { Work } from '../work.ts';

/** Where the samples of an origin go. */
export interface Route {
  readonly device: DeviceState | null;
  /** Why nothing of this origin can be taken in; null where it can. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
  /** The device is not known, and its organisation wants it to be registered. */
  readonly toRegister: { readonly key: string; readonly gatewayId: string | null } | null;
  /** Metric name in the payload → series. */
  readonly series: Map<string, SeriesState | null>;
  /** Metric key of a name in the payload. */
  keyOf(metric: string): string;
  /** Position that a replayed record first had; null = the one that it is read at. */
  readonly originalPosition: number | null;
}

/** Names that codecs give to a value without a name of its own. */
const UNNAMED = 'value';
const METRIC_PLACE = '{metric}';

export class ResolveState {
  readonly devices = new Map<string, DeviceState>();
  #routes = new WeakMap<Origin, Route>();
  readonly #directory: DirectoryCache;
  /** Called for each device that the pipeline sees for the first time. */
  readonly #onDevice: (state: DeviceState) => void;

  constructor(directory: DirectoryCache, onDevice: (state: DeviceState) => void = () => {}) {
    this.#directory = directory;
    this.#onDevice = onDevice;
  }

  /** The directory has changed: routes are worked out anew, series with changed definitions replaced; newest values stay. */
  directoryChanged(): void {
    this.#routes = new WeakMap();
    for (const [id, state] of this.devices) {
      const device = this.#directory.device(id);
      if (device === undefined) {
        this.devices.delete(id);
        continue;
      }
      state.device = device;
      for (const definition of this.#directory.seriesOf(id)?.values() ?? []) this.putSeries(state, definition);
    }
  }

  routeOf(origin: Origin): Route {
    let route = this.#routes.get(origin);
    if (route === undefined) {
      route = this.#workOut(origin);
      if (route.toRegister === null) this.#routes.set(origin, route);
    }
    return route;
  }

  deviceState(id: string): DeviceState | null {
    let state = this.devices.get(id);
    if (state === undefined) {
      const device = this.#directory.device(id);
      if (device === undefined) return null;
      state = new DeviceState(device);
      for (const definition of this.#directory.seriesOf(id)?.values() ?? []) this.putSeries(state, definition);
      this.devices.set(id, state);
      this.#onDevice(state);
    }
    return state;
  }

  putSeries(state: DeviceState, definition: SeriesDefinition): SeriesState {
    const series = new SeriesState(definition);
    const before = state.series.get(definition.metricKey);
    if (before !== undefined) series.inherit(before);
    state.series.set(definition.metricKey, series);
    return series;
  }

  #workOut(origin: Origin): Route {
    const { organizationId, deviceId, attributes } = origin;
    const original = attributes?.originalPosition;
    const route = {
      device: null,
      failure: null,
      toRegister: null,
      series: new Map<string, SeriesState | null>(),
      originalPosition: typeof original === 'number' ? original : null,
    };
    const keyOf = this.#metricKeys(origin);
    if (keyOf === null) {
      const message = `no mapping matches topic "${origin.topic}"; add one under Settings → Topic mappings, then replay`;
      return { ...route, keyOf: String, failure: { code: 'TOPIC_UNMAPPED', message } };
    }
    const device = this.#directory.findDevice(organizationId, deviceId);
    if (device === undefined) {
      const organization = this.#directory.organization(organizationId);
      const publisher = attributes?.publisherId;
      if (organization?.autoRegistration === true) {
        const gatewayId = typeof publisher === 'string' ? publisher : null;
        return { ...route, keyOf, toRegister: { key: deviceId, gatewayId } };
      }
      const message = `there is no device "${deviceId}"; create it, or switch automatic registration on, then replay`;
      return { ...route, keyOf, failure: { code: 'DEVICE_UNKNOWN', message } };
    }
    if (device.lifecycle === 'decommissioned') {
      const message = `device ${device.key} is decommissioned; set it to active to take its telemetry in`;
      return { ...route, keyOf, failure: { code: 'DEVICE_DECOMMISSIONED', message } };
    }
    return { ...route, keyOf, device: this.deviceState(device.id) };
  }

  /** How metric names of this origin become keys; null where its topic is not mapped (any more). */
  #metricKeys(origin: Origin): ((metric: string) => string) | null {
    if (origin.mappingId === undefined) return (metric) => metric;
    const taken = this.#directory.mapping(origin.mappingId);
    const match =
      (taken === undefined ? null : new TopicMatcher([taken]).match(origin.organizationId, origin.topic)) ??
      this.#directory.matchTopic(origin.organizationId, origin.topic);
    if (match === null) return null;
    const template = match.mapping.metric;
    if (!template.includes(METRIC_PLACE)) {
      // The topic names the metric; further fields of a payload stand behind it.
      const key = fillTemplate(template, match.captures);
      return (metric) => (metric === UNNAMED ? key : `${key}.${metric}`);
    }
    if (template === METRIC_PLACE) return (metric) => metric;
    return (metric) => fillTemplate(template, { ...match.captures, metric });
  }
}

/** Fills work.series; returns the rows whose metric has no series yet. */
export function resolve(work: Work): number[] {
  const { batch, decoded, routes, series } = work;
  const missing: number[] = [];
  let lastRoute: Route | null = null;
  let lastMetric = '';
  let lastSeries: SeriesState | null | undefined;
  for (let row = 0; row < decoded.count; row++) {
    const route = routes[batch.originIndex[decoded.recordIndex[row]!]!]!;
    const metric = decoded.metric[row]!;
    if (route !== lastRoute || metric !== lastMetric) {
      lastRoute = route;
      lastMetric = metric;
      lastSeries = route.series.get(metric);
    }
    series[row] = lastSeries ?? null;
    if (lastSeries === undefined) missing.push(row);
    else if (lastSeries === null) refuseKey(work, row, route.keyOf(metric));
  }
  return missing;
}

/** What is to be registered for the missing rows, each metric once; rows whose key cannot be one are refused. */
export function requestsFor(work: Work, missing: readonly number[], state: ResolveState): SeriesRequest[] {
  const requests = new Map<string, SeriesRequest>();
  const { decoded } = work;
  for (const row of missing) {
    const route = work.routeOf(decoded.recordIndex[row]!);
    const metric = decoded.metric[row]!;
    const metricKey = route.keyOf(metric);
    const device = route.device!;
    const known = device.series.get(metricKey);
    if (known !== undefined) {
      route.series.set(metric, known);
      continue;
    }
    if (!isKey(metricKey)) {
      route.series.set(metric, null);
      continue;
    }
    const name = `${device.device.id}/${metricKey}`;
    if (requests.has(name)) continue;
    const unit = decoded.units.get(row);
    requests.set(name, {
      organizationId: device.device.organizationId,
      subjectKind: 'device',
      subjectId: device.device.id,
      metricKey,
      valueKind: kindOf(decoded.valueKind[row]!),
      ...(unit !== undefined && { unit }),
    });
    state.deviceState(device.device.id);
  }
  return [...requests.values()];
}

/** Resolves the missing rows after registration; a metric that still has no series is refused with the reason that was given. */
export function resolveMissing(
  work: Work,
  missing: readonly number[],
  refusals: ReadonlyMap<string, { code: ErrorCode; message: string }>,
): void {
  const { decoded, series } = work;
  for (const row of missing) {
    const route = work.routeOf(decoded.recordIndex[row]!);
    const metric = decoded.metric[row]!;
    const metricKey = route.keyOf(metric);
    const found = route.device!.series.get(metricKey);
    if (found !== undefined) {
      route.series.set(metric, found);
      series[row] = found;
    } else if (!isKey(metricKey)) refuseKey(work, row, metricKey);
    else {
      const refusal = refusals.get(`${route.device!.device.id}/${metricKey}`);
      work.refuse(row, refusal?.code ?? 'INTERNAL', refusal?.message ?? `metric "${metricKey}" has no series`);
    }
  }
}

function refuseKey(work: Work, row: number, metricKey: string): void {
  const message = `metric key of ${metricKey.length} characters; it takes 1 to ${METRIC_KEY_LENGTH_MAX} without control characters`;
  work.refuse(row, 'METRIC_KEY_INVALID', message);
}

function isKey(metricKey: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return metricKey.length > 0 && metricKey.length <= METRIC_KEY_LENGTH_MAX && !/[\u0000-\u001f\u007f]/.test(metricKey);
}

function kindOf(code: number): ValueKind {
  if (code === KIND_TEXT) return 'text';
  return code === KIND_BOOLEAN ? 'boolean' : 'number';
}
