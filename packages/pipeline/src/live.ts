/**
 * Live fan-out: frames of what has just come in, for devices that somebody looks at. A device that is looked at by itself
 * sends all samples of a batch (thinned evenly beyond a limit), one that is looked at as part of a site or an
 * organisation its newest values, once in a while. Nobody looking costs one comparison a batch.
 */
import type { LiveFrame, LiveInterest } from './options.ts';
import type { DeviceState, SeriesState } from './series-state.ts';
import type { Work } from './work.ts';

export class LiveFanOut {
  #devices = new Set<string>();
  #sites = new Set<string>();
  #organizations = new Set<string>();
  #anyone = false;
  readonly #samplesMax: number;
  readonly #changed = new Set<DeviceState>();

  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax;
  }

  setInterest(interest: LiveInterest, known: Iterable<DeviceState>): void {
    this.#devices = new Set(interest.devices);
    this.#sites = new Set(interest.sites);
    this.#organizations = new Set(interest.organizations);
    this.#anyone = this.#devices.size + this.#sites.size + this.#organizations.size > 0;
    for (const state of known) this.look(state);
  }

  /** Works out whether somebody looks at this device. */
  look(state: DeviceState): void {
    const { id, siteId, organizationId } = state.device;
    if (this.#devices.has(id)) state.interest = 'all';
    else if (this.#organizations.has(organizationId) || (siteId !== null && this.#sites.has(siteId)))
      state.interest = 'latest';
    else state.interest = 'none';
  }

  /** Frames of all samples of the devices that are looked at by themselves; the others' are noted for latestFrames(). */
  framesOf(work: Work): LiveFrame[] {
    if (!this.#anyone) return [];
    const rows = new Map<DeviceState, number[]>();
    for (const { device } of work.routes) {
      if (device === null || device.interest === 'none') continue;
      if (device.interest === 'latest') this.#changed.add(device);
      else if (!rows.has(device)) rows.set(device, []);
    }
    if (rows.size === 0) return [];
    for (let row = 0; row < work.decoded.count; row++) {
      if (work.series[row] === null) continue;
      const device = work.routeOf(work.decoded.recordIndex[row]!).device!;
      if (device.interest === 'all') rows.get(device)!.push(row);
    }
    return [...rows]
      .filter(([, of]) => of.length > 0)
      .map(([device, of]) => frameOf(device, work, of, this.#samplesMax));
  }

  /** Newest values of the devices that have sent something since the last call. */
  latestFrames(): LiveFrame[] {
    const frames: LiveFrame[] = [];
    for (const device of this.#changed) {
      if (device.interest !== 'latest') continue;
      const changed = [...device.series.values()].filter(({ isNews }) => isNews);
      for (const series of changed) series.isNews = false;
      if (changed.length > 0) frames.push(latestFrame(device, changed));
    }
    this.#changed.clear();
    return frames;
  }
}

function frameOf(state: DeviceState, work: Work, all: readonly number[], samplesMax: number): LiveFrame {
  const rows = thinned(all, samplesMax);
  const { decoded } = work;
  const keys = new Map<string, number>();
  const texts = new Map<number, string>();
  const metricIndex = rows.map((row, at) => {
    const key = work.series[row]!.metricKey;
    const text = decoded.texts.get(row);
    if (text !== undefined) texts.set(at, text);
    if (!keys.has(key)) keys.set(key, keys.size);
    return keys.get(key)!;
  });
  return {
    organizationId: state.device.organizationId,
    deviceId: state.device.id,
    metricKeys: [...keys.keys()],
    metricIndex,
    sourceTime: rows.map((row) => decoded.sourceTime[row]!),
    value: rows.map((row) => decoded.value[row]!),
    quality: rows.map((row) => decoded.quality[row]!),
    texts: texts.size === 0 ? null : texts,
    leftOut: all.length - rows.length,
  };
}

function latestFrame(state: DeviceState, series: readonly SeriesState[]): LiveFrame {
  const texts = new Map<number, string>();
  for (const [at, { newestText }] of series.entries()) if (newestText !== null) texts.set(at, newestText);
  return {
    organizationId: state.device.organizationId,
    deviceId: state.device.id,
    metricKeys: series.map(({ metricKey }) => metricKey),
    metricIndex: series.map((_, at) => at),
    sourceTime: series.map(({ newestTime }) => newestTime),
    value: series.map(({ newestValue }) => newestValue),
    quality: series.map(({ newestQuality }) => newestQuality),
    texts: texts.size === 0 ? null : texts,
    leftOut: 0,
  };
}

/** At most `most` of the rows, evenly; the last one is always among them. */
function thinned(rows: readonly number[], most: number): readonly number[] {
  if (rows.length <= most) return rows;
  const step = rows.length / most;
  return Array.from(
    { length: most },
    (_, index) => rows[Math.min(rows.length - 1, Math.ceil((index + 1) * step) - 1)]!,
  );
}
