/**
 * The store's port: samples by series and source time, and what can be asked of them. This comment is the contract; the
 * conformance suite (conformance.ts) checks it on every adapter.
 *
 * - append() writes samples and the reader's position in one transaction, durable when it resolves: after a crash either
 *   both are there or neither.
 * - The identity of a sample is (seriesId, sourceTime). Of two with the same identity the one with the higher version wins,
 *   whatever the order of arrival; at the same version a repetition changes nothing. Answers never show both.
 * - A position with a lower epoch than the stored one is refused with WRITER_FENCED and nothing is written. A position whose
 *   `next` is not above the stored one is refused with CONFLICT.
 * - Answers are the same before, during and after sealing and compaction, and for data that arrived in any order. What
 *   append() has resolved is visible to the next query.
 * - Exactly the samples of [from, to) go into an answer, also where a bucket reaches over an end of the range.
 * - Aggregates leave out samples whose quality is bad, and texts; percentGood tells the share of good samples among all.
 *   Buckets start at multiples of their length since the epoch (UTC); days start at the first instant of the day in the time
 *   zone asked for, and are built from hours (from quarters of an hour where the zone's offset is not a whole hour).
 *   Empty buckets are left out. count, minimum, maximum, first and last are exact; average and stddev (sample standard
 *   deviation, n − 1; merged by Chan's formula) may differ by rounding: 1e-9 of the largest magnitude in the bucket. A bucket
 *   with a value of magnitude 1e150 or more has an infinite stddev.
 * - `limit` keeps the first samples (or, with order 'desc', the last) and the first buckets of each series.
 * - Answers hold one entry per series asked for, in the order asked, without columns' rows where there is nothing.
 * - Retention deletes by resolution: raw samples (and buckets under an hour), hours, days each have their own age, and go in
 *   whole UTC days. Where hours are gone, a day is the UTC day whose noon lies in it. latest() is not touched by retention.
 */
import type { Micros, ReadPosition, Resolution, SampleBatch, SeriesDefinition, StoredSeries } from '@fieldline/model';

export interface StoreCapabilities {
  readonly manyProcesses: boolean;
  readonly persistent: boolean;
  /** Keeps sealed data as Parquet files that other tools read. */
  readonly openFiles: boolean;
}

export interface TimeRange {
  /** Inclusive. */
  readonly from: Micros;
  /** Exclusive. */
  readonly to: Micros;
}

/** Samples of one series, in columns, ascending by source time. */
export interface SampleColumns {
  readonly seriesId: number;
  readonly sourceTime: Float64Array;
  readonly receivedTime: Float64Array;
  readonly value: Float64Array;
  readonly quality: Uint8Array;
  /** Texts by row; null where no row has one. */
  readonly texts: ReadonlyMap<number, string> | null;
}

/** Buckets of one series, in columns, ascending by start. average, minimum, maximum, first, last are NaN in a bucket without a number of usable quality. */
export interface BucketColumns {
  readonly seriesId: number;
  readonly start: Float64Array;
  readonly average: Float64Array;
  readonly minimum: Float64Array;
  readonly maximum: Float64Array;
  /** Sample standard deviation; NaN where count < 2. */
  readonly stddev: Float64Array;
  /** Samples that went into the aggregates. */
  readonly count: Float64Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
  /** 0 to 100. */
  readonly percentGood: Float64Array;
}

export interface RawQuery extends TimeRange {
  readonly seriesIds: readonly number[];
  /** Per series. */
  readonly limit: number;
  /** 'asc' from the start of the range, 'desc' gives the newest `limit` samples (still in ascending order). */
  readonly order?: 'asc' | 'desc';
}

export interface BucketQuery extends TimeRange {
  readonly seriesIds: readonly number[];
  readonly resolution: Resolution;
  /** IANA name; only days depend on it. Default UTC. */
  readonly timeZone?: string;
  /** Per series. */
  readonly limit: number;
}

/**
 * Reduction of a range to about `points` points per series that keeps every minimum and maximum visible: of each slice of
 * the range the first, the least, the greatest and the last number (the earliest of equal ones) at their own source times.
 * Bad samples and texts are left out. receivedTime repeats the source time; quality is good where the whole slice is.
 */
export interface DownsampleQuery extends TimeRange {
  readonly seriesIds: readonly number[];
  readonly points: number;
}

export interface LatestSample {
  readonly seriesId: number;
  readonly sourceTime: Micros;
  readonly receivedTime: Micros;
  /** NaN where the sample is a text. */
  readonly value: number;
  readonly text: string | null;
  readonly quality: number;
}

export interface StoreStatistics {
  readonly hotRows: number;
  readonly sealedRows: number;
  readonly sealedBytes: number;
  readonly sealedFiles: number;
  /** Bytes by resolution ('raw', '1m', …) where the adapter knows them. */
  readonly bytesByResolution: Readonly<Record<string, number>>;
  /** Files that are missing or damaged, in words. What they held is left out of answers; the first read that meets damage fails. */
  readonly damage: readonly string[];
}

export interface RetentionSettings {
  readonly rawMs: number | null;
  readonly hourlyMs: number | null;
  readonly dailyMs: number | null;
}

/** The asking half: what api and ui get. */
export interface TelemetryReader {
  readRaw(query: RawQuery): Promise<SampleColumns[]>;
  readBuckets(query: BucketQuery): Promise<BucketColumns[]>;
  downsample(query: DownsampleQuery): Promise<SampleColumns[]>;
  /** Newest sample by source time of each series that has one; all series where none are named. */
  latest(seriesIds?: readonly number[]): Promise<LatestSample[]>;
  /** Everything in a range in pages of bounded size, for export: by series, then time. */
  stream(query: TimeRange & { seriesIds: readonly number[] }): AsyncIterable<SampleColumns>;
  statistics(): Promise<StoreStatistics>;
}

export interface DefinedSeries {
  readonly series: readonly StoredSeries[];
  /** 0 where there is none. */
  readonly highestId: number;
}

export interface TelemetryStore extends TelemetryReader {
  readonly supports: StoreCapabilities;
  /** Tells the store what a series is, before its first sample; told again with changes it takes them over. */
  defineSeries(series: readonly SeriesDefinition[]): Promise<void>;
  /**
   * What the store knows of its series, and the highest id that any of its samples has: no other series may ever get one up to
   * it. A store that does not keep definitions tells none.
   */
  definedSeries(): Promise<DefinedSeries>;
  /** Takes a partition over: raises its epoch and returns it with the stored position (next = 0 at the first time). */
  acquire(topic: string, partition: number): Promise<ReadPosition>;
  append(batch: SampleBatch, position: ReadPosition): Promise<void>;
  /** One round of background work: seal, compact, roll up, delete by retention. Never stalls append or queries. Safe to kill at any moment. */
  maintain(now: Micros): Promise<void>;
  close(): Promise<void>;
}
