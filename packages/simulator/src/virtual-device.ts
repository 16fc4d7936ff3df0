/** One virtual device: asks its source for readings as time goes on, packs them into messages and misbehaves as told. */
import { MICROS_PER_DAY, type Micros } from '@fieldline/model';
import { encodeReadings, type Format, runsOf } from './message.ts';
import type { MqttLink } from './mqtt-link.ts';
import type { Random } from './random.ts';
import type { Reading, ReadingSource } from './reading.ts';
import type { HistorySettings, ScenarioDevice } from './scenario.ts';
import type { Statistics } from './statistics.ts';

/** Readings made in one go; a device that has fallen behind catches up over several ticks. */
const READINGS_PER_TICK_MAX = 1000;
/** What lies further back (the machine slept) is not made up for. */
const CATCH_UP_MICROS = 600e6;
const HISTORY_SAMPLES_PER_MESSAGE = 1000;
/** A recording's columns are not known here. */
const HISTORY_METRICS_ASSUMED = 25;
const HISTORY_BACKLOG_MAX = 32;

export interface VirtualDeviceParts {
  readonly key: string;
  readonly settings: ScenarioDevice;
  readonly source: ReadingSource;
  readonly link: MqttLink;
  readonly random: Random;
  readonly statistics: Statistics;
}

export class VirtualDevice {
  readonly key: string;
  readonly link: MqttLink;
  readonly #parts: VirtualDeviceParts;
  readonly #format: Format;
  #told: Micros;
  #collected: Reading[] = [];
  #breaksOffAt = Number.NaN;
  readonly #held = new Set<NodeJS.Timeout>();

  constructor(parts: VirtualDeviceParts, startTime: Micros) {
    this.key = parts.key;
    this.link = parts.link;
    this.#parts = parts;
    this.#format = parts.settings.format ?? 'json';
    this.#told = startTime;
  }

  /** Sends the past up to `until`, as fast as the broker takes it. */
  async sendHistory(settings: HistorySettings, until: Micros, signal: AbortSignal): Promise<void> {
    const { stepMs = 60_000, denseMs = 600_000, days } = settings;
    const denseFrom = until - denseMs * 1000;
    const from = Math.min(denseFrom, until - days * MICROS_PER_DAY);
    for (const part of [
      this.#parts.source.history(from, denseFrom, stepMs * 1000),
      this.#parts.source.history(denseFrom, until, 0),
    ]) {
      for (const run of runsOf(part, this.#historyRun(), this.#format === 'protobuf')) {
        if (signal.aborted) return;
        this.#post(run);
        await this.link.drained(HISTORY_BACKLOG_MAX);
      }
    }
  }

  /** Makes the readings up to now and sends the messages that are complete. */
  tick(now: Micros): void {
    this.#maybeBreakOff(now);
    const after = Math.max(this.#told, now - CATCH_UP_MICROS);
    const readings = this.#parts.source.take(after, now, READINGS_PER_TICK_MAX);
    this.#told = readings.length === READINGS_PER_TICK_MAX ? readings.at(-1)!.sourceTime : now;
    const { samplesPerMessage = 1 } = this.#parts.settings;
    for (const reading of readings) {
      this.#collected.push(reading);
      if (this.#collected.length >= samplesPerMessage) this.#flush();
    }
  }

  /** Sends what is left and disconnects. */
  async stop(graceMs: number): Promise<void> {
    for (const timer of this.#held) clearTimeout(timer);
    this.#held.clear();
    this.#flush();
    await this.link.close(graceMs);
  }

  /** Readings a message, so that messages stay within some tens of kilobytes. */
  #historyRun(): number {
    const metrics = Object.keys(this.#parts.settings.metrics ?? {}).length || HISTORY_METRICS_ASSUMED;
    return Math.max(1, Math.floor(HISTORY_SAMPLES_PER_MESSAGE / metrics));
  }

  #flush(): void {
    const readings = this.#collected;
    this.#collected = [];
    for (const run of runsOf(readings, READINGS_PER_TICK_MAX, this.#format === 'protobuf')) this.#misbehave(run);
  }

  #misbehave(readings: readonly Reading[]): void {
    const { dropRatio = 0, latencyMsMax = 0 } = this.#parts.settings.behavior ?? {};
    if (dropRatio > 0 && this.#parts.random.next() < dropRatio) {
      this.#parts.statistics.droppedMessages += 1;
    } else if (latencyMsMax === 0) this.#post(readings);
    else {
      const timer = setTimeout(() => {
        this.#held.delete(timer);
        this.#post(readings);
      }, this.#parts.random.next() * latencyMsMax);
      this.#held.add(timer);
    }
  }

  #post(readings: readonly Reading[]): void {
    const samples = readings.reduce((sum, reading) => sum + Object.keys(reading.values).length, 0);
    this.link.send(encodeReadings(this.#format, readings, this.#parts.source.units), samples);
  }

  /** Pauses between breaks are exponentially distributed around everyMs; breaks last half to one and a half times forMs. */
  #maybeBreakOff(now: Micros): void {
    const disconnect = this.#parts.settings.behavior?.disconnect;
    if (disconnect === undefined) return;
    const { random } = this.#parts;
    if (now >= this.#breaksOffAt) {
      this.link.breakOff(disconnect.forMs * (0.5 + random.next()));
      this.#breaksOffAt = Number.NaN;
    }
    if (Number.isNaN(this.#breaksOffAt)) {
      this.#breaksOffAt = now - Math.log(1 - random.next()) * disconnect.everyMs * 1000;
    }
  }
}
