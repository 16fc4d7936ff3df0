/**
 * Routes: for each origin the device that its samples belong to, and how metric names of its payloads become keys. Worked out
 * once per origin and kept (by the origin's identity) until the directory says something else about its device or its
 * mapping. Also holds what is known of devices and series. Pure: reads no clock, does no I/O.
 */
import {
  type DirectoryCache,
  type DirectoryChange,
  type DirectoryDevice,
  fillTemplate,
  type MappingMatch,
  type Origin,
  type SeriesDefinition,
  TopicMatcher,
} from '@fieldline/model';
import { DeviceState, SeriesState } from './series-state.ts';
import type { Refusal } from './work.ts';

/** Where the samples of an origin go. */
export interface Route {
  readonly device: DeviceState | null;
  /** Why nothing of this origin can be taken in; null where it can. */
  readonly failure: Refusal | null;
  /** The device is not known, and its organisation wants it to be registered. */
  readonly toRegister: { readonly key: string; readonly gatewayId: string | null } | null;
  /** Metric name in the payload → series. At most one entry for each series of the device. */
  readonly series: Map<string, SeriesState>;
  /** Metric key of a name in the payload. */
  keyOf(metric: string): string;
  /**
   * How payloads are read: as the record says it, but for a replayed one as its mapping says now, since a wrong codec may
   * be what was mended before the replay.
   */
  readonly codec: string;
  /** Position that a replayed record first had; null = the one that it is read at. */
  readonly originalPosition: number | null;
  /** The device's generation, or (where there is none) that of all devices, at which this was worked out. */
  readonly generation: number;
}

/** Names that codecs give to a value without a name of its own. */
const UNNAMED = 'value';
const METRIC_PLACE = '{metric}';
const asItIs = (metric: string): string => metric;

export class Routes {
  readonly devices = new Map<string, DeviceState>();
  readonly seriesById = new Map<number, SeriesState>();
  #routes = new WeakMap<Origin, Route>();
  /** Grows when any device or organisation changes: unknown devices may be known now. */
  #generation = 0;
  readonly #directory: DirectoryCache;
  /** Called for each device that the pipeline sees for the first time, or that has changed. */
  readonly #onDevice: (state: DeviceState) => void;
  readonly #isReplay: boolean;

  /** @param isReplay every record is a replayed one */
  constructor(directory: DirectoryCache, onDevice: (state: DeviceState) => void = () => {}, isReplay = false) {
    this.#directory = directory;
    this.#onDevice = onDevice;
    this.#isReplay = isReplay;
  }

  routeOf(origin: Origin): Route {
    const known = this.#routes.get(origin);
    if (known !== undefined && known.generation === (known.device?.generation ?? this.#generation)) return known;
    const route = this.#workOut(origin);
    this.#routes.set(origin, route);
    return route;
  }

  /** The directory has taken these changes in; what was concluded from the state before is given up. */
  directoryChanged(changes: readonly DirectoryChange[]): void {
    for (const change of changes) {
      if (change.kind === 'series') this.#seriesChanged(change.series);
      else if (change.kind === 'device') this.#deviceChanged(change.device.id);
      else if (change.kind === 'device-removed') this.#deviceChanged(change.deviceId);
      else if (change.kind === 'organization') this.#generation += 1;
      else this.#routes = new WeakMap();
    }
  }

  /** Takes in a device that was registered just now; its change comes later. */
  adopt(device: DirectoryDevice): void {
    this.#directory.adopt(device);
    this.#deviceChanged(device.id);
  }

  /** The device's state; null where the directory does not know the device. */
  deviceState(id: string): DeviceState | null {
    const known = this.devices.get(id);
    if (known !== undefined) return known;
    const device = this.#directory.device(id);
    if (device === undefined) return null;
    const state = new DeviceState(device);
    this.devices.set(id, state);
    for (const definition of this.#directory.seriesOf(id)?.values() ?? []) this.putSeries(state, definition);
    this.#onDevice(state);
    return state;
  }

  /** Adds a series to its device, or takes over its changed definition. */
  putSeries(state: DeviceState, definition: SeriesDefinition): void {
    const known = state.series.get(definition.metricKey);
    if (known?.id === definition.id) known.define(definition);
    else {
      const series = new SeriesState(definition);
      state.series.set(definition.metricKey, series);
      this.seriesById.set(series.id, series);
    }
  }

  #seriesChanged(definition: SeriesDefinition): void {
    const state = this.devices.get(definition.subjectId);
    if (state === undefined) return;
    const before = state.series.get(definition.metricKey);
    this.putSeries(state, definition);
    if (before !== undefined && before.id !== definition.id) state.generation += 1;
  }

  #deviceChanged(id: string): void {
    this.#generation += 1;
    const state = this.devices.get(id);
    if (state === undefined) return;
    state.generation += 1;
    const device = this.#directory.device(id);
    if (device === undefined) {
      this.devices.delete(id);
      for (const series of state.series.values()) this.seriesById.delete(series.id);
    } else {
      state.device = device;
      state.fullUntilMs = 0;
      this.#onDevice(state);
    }
  }

  #workOut(origin: Origin): Route {
    const { organizationId, deviceId, topic, attributes } = origin;
    const original = attributes?.originalPosition;
    const route = {
      device: null,
      failure: null,
      toRegister: null,
      series: new Map<string, SeriesState>(),
      keyOf: asItIs,
      codec: origin.codec,
      originalPosition: typeof original === 'number' ? original : null,
      generation: this.#generation,
    };
    const failed = (code: Refusal['code'], message: string): Route => ({ ...route, failure: { code, message } });
    const match = this.#match(origin);
    if (match === null) {
      return failed(
        'TOPIC_UNMAPPED',
        `no mapping matches topic "${shown(topic)}"; add one under Settings → Topic mappings, then replay`,
      );
    }
    const named = this.#directory.organization(match?.captures.organization ?? organizationId);
    // A name that is unknown now was the right one at the door, which checks it, and says so where it takes a foreign one in.
    if ((named !== undefined && named.id !== organizationId) || attributes?.foreignOrganization !== undefined) {
      return failed(
        'ORGANIZATION_MISMATCH',
        `topic "${shown(topic)}" names another organisation than the device's own`,
      );
    }
    const keyOf = match === undefined ? asItIs : keyMaker(match);
    const isReplayed = this.#isReplay || route.originalPosition !== null;
    if (match !== undefined && isReplayed) route.codec = match.mapping.codec;
    const device = this.#directory.findDevice(organizationId, deviceId);
    if (device === undefined) {
      if (this.#directory.organization(organizationId)?.autoRegistration === true) {
        const publisher = attributes?.publisherId;
        return {
          ...route,
          keyOf,
          toRegister: { key: deviceId, gatewayId: typeof publisher === 'string' ? publisher : null },
        };
      }
      return failed(
        'DEVICE_UNKNOWN',
        `there is no device "${shown(deviceId)}"; create it, or switch automatic registration on, then replay`,
      );
    }
    const state = this.deviceState(device.id)!;
    if (device.lifecycle === 'decommissioned') {
      return failed(
        'DEVICE_DECOMMISSIONED',
        `device ${device.key} is decommissioned; set it to active to take its telemetry in, then replay`,
      );
    }
    return { ...route, keyOf, device: state, generation: state.generation };
  }

  /** The mapping the record was taken under, else one that matches now; undefined = none is involved, null = none matches. */
  #match(origin: Origin): MappingMatch | null | undefined {
    if (origin.mappingId === undefined) return undefined;
    const taken = this.#directory.mapping(origin.mappingId);
    const match = taken === undefined ? null : new TopicMatcher([taken]).match(origin.organizationId, origin.topic);
    return match ?? this.#directory.matchTopic(origin.organizationId, origin.topic);
  }
}

/** How metric names become keys under a mapping's template. */
function keyMaker({ mapping, captures }: MappingMatch): (metric: string) => string {
  const template = mapping.metric;
  if (template === METRIC_PLACE) return asItIs;
  if (template.includes(METRIC_PLACE)) return (metric) => fillTemplate(template, { ...captures, metric });
  // The topic names the metric; further fields of a payload stand behind it.
  const key = fillTemplate(template, captures);
  return (metric) => (metric === UNNAMED ? key : `${key}.${metric}`);
}

function shown(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
