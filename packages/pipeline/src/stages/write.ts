/** write: the rows that came through, as a batch for the store; newest values and last-seen times are noted on the way. */
import type { SampleBatch } from '@fieldline/model';
import type { DeviceState } from '../series-state.ts';
import type { Work } from '../work.ts';

/** Gathers the samples of one transaction. Memory grows by doubling and is kept. */
export class SampleBatchBuilder {
  count = 0;
  #seriesId: Int32Array;
  #sourceTime: Float64Array;
  #receivedTime: Float64Array;
  #value: Float64Array;
  #quality: Uint8Array;
  #version: Float64Array;
  #texts: Map<number, string> | null = null;

  constructor(samplesExpected = 65_536) {
    this.#seriesId = new Int32Array(samplesExpected);
    this.#sourceTime = new Float64Array(samplesExpected);
    this.#receivedTime = new Float64Array(samplesExpected);
    this.#value = new Float64Array(samplesExpected);
    this.#quality = new Uint8Array(samplesExpected);
    this.#version = new Float64Array(samplesExpected);
  }

  /** Adds all rows of the work that have a series. */
  add(work: Work): void {
    const { batch, decoded, series, routes } = work;
    this.#reserve(this.count + decoded.count);
    let at = this.count;
    for (let row = 0; row < decoded.count; row++) {
      const of = series[row]!;
      if (of === null) continue;
      const record = decoded.recordIndex[row]!;
      const time = decoded.sourceTime[row]!;
      const received = batch.receivedTime[record]!;
      const version = routes[batch.originIndex[record]!]!.originalPosition ?? batch.firstPosition + record;
      const value = decoded.value[row]!;
      const quality = decoded.quality[row]!;
      this.#seriesId[at] = of.id;
      this.#sourceTime[at] = time;
      this.#receivedTime[at] = received;
      this.#value[at] = value;
      this.#quality[at] = quality;
      this.#version[at] = version;
      let text: string | null = null;
      if (Number.isNaN(value)) {
        text = decoded.texts.get(row) ?? '';
        this.#texts ??= new Map();
        this.#texts.set(at, text);
      }
      if (time > of.newestTime || (time === of.newestTime && version >= of.newestVersion)) {
        of.newestTime = time;
        of.newestReceivedTime = received;
        of.newestVersion = version;
        of.newestValue = value;
        of.newestQuality = quality;
        of.newestText = text;
      }
      at += 1;
    }
    this.count = at;
  }

  /** Views into the builder's memory: valid until reset(). */
  view(): SampleBatch {
    const { count } = this;
    return {
      count,
      seriesId: this.#seriesId.subarray(0, count),
      sourceTime: this.#sourceTime.subarray(0, count),
      receivedTime: this.#receivedTime.subarray(0, count),
      value: this.#value.subarray(0, count),
      quality: this.#quality.subarray(0, count),
      version: this.#version.subarray(0, count),
      texts: this.#texts,
    };
  }

  reset(): void {
    this.count = 0;
    this.#texts = null;
  }

  #reserve(needed: number): void {
    if (needed <= this.#value.length) return;
    const length = Math.max(needed, this.#value.length * 2);
    const grow = <T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#seriesId = grow(this.#seriesId, new Int32Array(length));
    this.#sourceTime = grow(this.#sourceTime, new Float64Array(length));
    this.#receivedTime = grow(this.#receivedTime, new Float64Array(length));
    this.#value = grow(this.#value, new Float64Array(length));
    this.#quality = grow(this.#quality, new Uint8Array(length));
    this.#version = grow(this.#version, new Float64Array(length));
  }
}

/** Notes when each device of the batch was last heard of; those that were not yet told of are added to `heard`. */
export function noteLastSeen(work: Work, heard: DeviceState[]): void {
  const { batch, routes } = work;
  for (let record = 0; record < batch.count; record++) {
    const { device, originalPosition } = routes[batch.originIndex[record]!]!;
    if (device === null || originalPosition !== null) continue;
    const received = batch.receivedTime[record]!;
    if (received <= device.lastSeen) continue;
    device.lastSeen = received;
    if (!device.lastSeenTold) continue;
    device.lastSeenTold = false;
    heard.push(device);
  }
}
