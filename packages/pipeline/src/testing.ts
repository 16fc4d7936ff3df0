/**
 * A plant in memory for the pipeline's tests and bench: a directory with two organisations, a log of raw records, a store that
 * can be told to fail, and a pipeline between them. Everything can be looked at.
 */
import { FieldlineError, Metrics, silentLogger, systemClock } from '@fieldline/kit';
import {
  BUILT_IN_MAPPINGS,
  DirectoryCache,
  type DirectoryChange,
  type DirectoryDevice,
  type LoggedBatch,
  type Micros,
  type Origin,
  type Position,
  type RawBatch,
  RawBatchBuilder,
  type ReadPosition,
  rawBatchOf,
  type SampleBatch,
  type SeriesDefinition,
  type SeriesRequest,
} from '@fieldline/model';
import { type DeadLetter, deadLetterAt } from './dead-letters/dead-letter.ts';
import type { LiveFrame, PipelineOptions, RawSource, SampleSink, SeriesRegistration, StoredLatest } from './options.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';

export const ORGANIZATION = { id: 'org-1', slug: 'north', autoRegistration: false };
export const AUTO_ORGANIZATION = { id: 'org-2', slug: 'south', autoRegistration: true };
/** When the test records are received: 2026-01-01. */
export const T0: Micros = Date.UTC(2026, 0, 1) * 1000;

export interface TestRecord {
  readonly origin: Origin;
  readonly receivedTime: Micros;
  readonly payload: Uint8Array;
}

export function device(id: string, more: Partial<DirectoryDevice> = {}): DirectoryDevice {
  const base = { name: id, kind: 'machine', lifecycle: 'active', tokenSha256: null, gatewayId: null } as const;
  return { id, organizationId: ORGANIZATION.id, key: `${id}-key`, siteId: null, ...base, ...more };
}

export function series(
  id: number,
  deviceId: string,
  metricKey: string,
  more: Partial<SeriesDefinition> = {},
): SeriesDefinition {
  const base = { subjectKind: 'device', valueKind: 'number', unit: '', sourceUnit: '', scale: 1, offset: 0 } as const;
  const bounds = { minimum: null, maximum: null, metadata: {} };
  return { id, organizationId: ORGANIZATION.id, subjectId: deviceId, metricKey, ...base, ...bounds, ...more };
}

export function origin(deviceId: string, more: Partial<Origin> = {}): Origin {
  const topic = `v1/telemetry/${ORGANIZATION.slug}/${deviceId}`;
  const base = { organizationId: ORGANIZATION.id, codec: 'json', source: 'mqtt', mappingVersion: 1 } as const;
  return { deviceId, topic, ...base, mappingId: BUILT_IN_MAPPINGS[0]!.id, ...more };
}

/** A record with a JSON payload (or bytes as they are). */
export function record(from: Origin, payload: unknown, receivedTime = T0): TestRecord {
  return {
    origin: from,
    receivedTime,
    payload: payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload)),
  };
}

export function logged(records: readonly TestRecord[], firstPosition = 0): LoggedBatch {
  return { ...rawBatchOf(records), topic: 'telemetry.raw', partition: 0, firstPosition };
}

/** One partition of raw records; reading never removes anything. */
export class MemorySource implements RawSource {
  readonly topic = 'telemetry.raw';
  readonly partitions = [0];
  readonly records: TestRecord[] = [];
  first = 0;
  #wake = (): void => {};

  append(records: readonly TestRecord[]): void {
    this.records.push(...records);
    this.#wake();
  }

  async read(_: number, from: Position, options: Parameters<RawSource['read']>[2]): Promise<LoggedBatch | null> {
    if (from < this.first) throw new FieldlineError('LOG_POSITION_GONE', `position ${from} is gone`);
    if (from >= this.records.length) await this.#wait(options.waitMs, options.signal);
    if (from >= this.records.length) return null;
    const builder = new RawBatchBuilder(64, 4096);
    for (const { origin, receivedTime, payload } of this.records.slice(from)) {
      if (builder.count > 0 && builder.byteLength + payload.length > options.bytesMax) break;
      builder.add(origin, receivedTime, payload);
    }
    return { ...builder.take(), topic: this.topic, partition: 0, firstPosition: from };
  }

  async bounds(): Promise<{ first: Position; next: Position }> {
    return { first: this.first, next: this.records.length };
  }

  #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}

export interface StoredSample {
  readonly seriesId: number;
  readonly sourceTime: Micros;
  readonly receivedTime: Micros;
  readonly value: number;
  readonly text: string | null;
  readonly quality: number;
  readonly version: number;
}

/** The store's contract on maps. `fault` is asked before each append and may throw. */
export class MemorySink implements SampleSink {
  readonly samples = new Map<string, StoredSample>();
  /** Rows in the order in which they were stored. */
  readonly rows: StoredSample[] = [];
  readonly defined = new Map<number, SeriesDefinition>();
  epoch = 0;
  next: Position = 0;
  fault: (batch: SampleBatch, position: ReadPosition) => void = () => {};
  /** Throws where taking over is to fail. */
  acquireFault: () => void = () => {};
  /** Resolves before each append goes on. */
  gate: Promise<void> = Promise.resolve();

  async acquire(topic: string, partition: number): Promise<ReadPosition> {
    this.acquireFault();
    this.epoch += 1;
    return { topic, partition, epoch: this.epoch, next: this.next };
  }

  async append(batch: SampleBatch, position: ReadPosition): Promise<void> {
    await this.gate;
    if (position.epoch < this.epoch) throw new FieldlineError('WRITER_FENCED', 'another writer has the partition');
    if (position.next <= this.next) throw new FieldlineError('CONFLICT', `${position.next} is stored already`);
    this.fault(batch, position);
    for (let row = 0; row < batch.count; row++) this.#put(sampleAt(batch, row));
    this.next = position.next;
  }

  async defineSeries(all: readonly SeriesDefinition[]): Promise<void> {
    for (const one of all) this.defined.set(one.id, one);
  }

  async latest(): Promise<StoredLatest[]> {
    const newest = new Map<number, StoredSample>();
    for (const sample of this.samples.values()) {
      const before = newest.get(sample.seriesId);
      if (before === undefined || sample.sourceTime > before.sourceTime) newest.set(sample.seriesId, sample);
    }
    return [...newest.values()];
  }

  /** value (or text) by source time (µs after T0) of one series. */
  valuesOf(seriesId: number): Record<number, number | string> {
    const own = [...this.samples.values()].filter((sample) => sample.seriesId === seriesId);
    own.sort((a, b) => a.sourceTime - b.sourceTime);
    return Object.fromEntries(own.map(({ sourceTime, value, text }) => [sourceTime - T0, text ?? value]));
  }

  #put(sample: StoredSample): void {
    const key = `${sample.seriesId}/${sample.sourceTime}`;
    const before = this.samples.get(key);
    this.rows.push(sample);
    if (before === undefined || sample.version > before.version) this.samples.set(key, sample);
  }
}

export function sampleAt(batch: SampleBatch, row: number): StoredSample {
  return {
    seriesId: batch.seriesId[row]!,
    sourceTime: batch.sourceTime[row]!,
    receivedTime: batch.receivedTime[row]!,
    value: batch.value[row]!,
    text: batch.texts?.get(row) ?? null,
    quality: batch.quality[row]!,
    version: batch.version[row]!,
  };
}

/** Registers series as the catalog does: idempotent, with a limit for each device. */
export class MemoryRegistry {
  readonly requests: SeriesRequest[][] = [];
  readonly made = new Map<string, SeriesDefinition>();
  limit = 1000;
  fault: (requests: readonly SeriesRequest[]) => void = () => {};

  constructor(known: Iterable<SeriesDefinition> = []) {
    for (const one of known) this.made.set(`${one.subjectId}/${one.metricKey}`, one);
  }

  async register(requests: readonly SeriesRequest[]): Promise<SeriesRegistration> {
    this.requests.push([...requests]);
    this.fault(requests);
    const refused: { index: number; code: 'SERIES_LIMIT' }[] = [];
    const answers = requests.map((request, index) => {
      const key = `${request.subjectId}/${request.metricKey}`;
      const own = [...this.made.values()].filter(({ subjectId }) => subjectId === request.subjectId);
      if (!this.made.has(key) && own.length >= this.limit) {
        refused.push({ index, code: 'SERIES_LIMIT' });
        return null;
      }
      const { subjectId, metricKey, valueKind, unit = '' } = request;
      if (!this.made.has(key))
        this.made.set(key, series(this.made.size + 1, subjectId, metricKey, { valueKind, unit }));
      return this.made.get(key)!;
    });
    return { series: answers, refused };
  }

  idOf(deviceId: string, metricKey: string): number {
    return this.made.get(`${deviceId}/${metricKey}`)!.id;
  }
}

export function directoryOf(
  devices: readonly DirectoryDevice[],
  all: readonly SeriesDefinition[] = [],
): DirectoryCache {
  const organizations = [ORGANIZATION, AUTO_ORGANIZATION];
  return new DirectoryCache({ version: 1, organizations, devices, mappings: BUILT_IN_MAPPINGS, series: all });
}

/** Source, store and registry outlive the pipeline: start() makes another one over them, as after a crash. */
export class Plant {
  readonly source = new MemorySource();
  readonly sink = new MemorySink();
  readonly registry: MemoryRegistry;
  readonly deadBatches: RawBatch[] = [];
  readonly frames: LiveFrame[] = [];
  readonly seen = new Map<string, Micros>();
  readonly #devices: DirectoryDevice[];
  readonly #series: SeriesDefinition[];
  readonly #options: Partial<PipelineOptions>;

  constructor(devices: DirectoryDevice[], all: SeriesDefinition[] = [], options: Partial<PipelineOptions> = {}) {
    this.#devices = devices;
    this.#series = all;
    this.#options = options;
    this.registry = new MemoryRegistry(all);
  }

  pipeline(): Pipeline {
    return createPipeline({
      source: this.source,
      sink: this.sink,
      directory: directoryOf(this.#devices, [...this.#series, ...this.registry.made.values()]),
      registerSeries: (requests) => this.registry.register(requests),
      registerDevice: async (organizationId, key, gatewayId) =>
        device(`auto-${key}`, { organizationId, key, gatewayId }),
      appendDeadLetters: async (batch) => void this.deadBatches.push(batch),
      onLive: (frames) => this.frames.push(...frames),
      onLastSeen: (ids, times) => {
        for (const [index, id] of ids.entries()) this.seen.set(id, times[index]!);
      },
      clock: systemClock,
      logger: silentLogger,
      metrics: new Metrics(),
      ...this.#options,
      settings: { transactionIntervalMs: 1, ...this.#options.settings },
    });
  }

  /** Starts a pipeline, waits until everything that was appended is stored, and stops it. */
  async runThrough(): Promise<Pipeline> {
    const pipeline = this.pipeline();
    await pipeline.start();
    await until(() => this.sink.next === this.source.records.length);
    await pipeline.stop();
    return pipeline;
  }

  /** Dead letters in the order in which they were appended. */
  letters(): DeadLetter[] {
    return this.deadBatches.flatMap((batch, at) => lettersOf(batch, at * 1000));
  }
}

export function lettersOf(batch: RawBatch, firstPosition = 0): DeadLetter[] {
  const asLogged: LoggedBatch = { ...batch, topic: 'dead-letters', partition: 0, firstPosition };
  return Array.from({ length: batch.count }, (_, index) => deadLetterAt(asLogged, index));
}

/** Waits for a condition; fails after a while. */
export async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function deviceChange(version: number, changed: DirectoryDevice): DirectoryChange {
  return { version, kind: 'device', device: changed };
}
