/**
 * The writing half of one partition: batches in, chunks in segment files out. Appends that arrive during a flush go into
 * the next one: one write and one flush for all of them. Publishes the durable end only after the flush.
 */
import { rm, stat } from 'node:fs/promises';
import {
  type Clock,
  type DiskFile,
  diskError,
  FieldlineError,
  messageOf,
  type OpenDiskFile,
  syncParentDirectory,
} from '@fieldline/kit';
import type { Micros, Position, RawBatch } from '@fieldline/model';
import type { LogDamage } from '../log.ts';
import { endWithin, sliceBatch } from '../partition.ts';
import { type EncodedChunk, encodeChunk } from './chunk.ts';
import { type Append, FlushQueue } from './flush-queue.ts';
import type { OriginEncoder } from './origin-table.ts';
import { type Recovery, recoverSegment } from './recover.ts';
import { encodeSegmentHeader, listSegments, SEGMENT_HEADER_BYTES, segmentPath } from './segment.ts';
import type { SharedEnds } from './shared-ends.ts';

/** A chunk is read as a whole, so it stays small: larger appends become several chunks. */
const CHUNK_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_RECORDS_MAX = 65_536;

export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly folder: string;
  readonly segmentBytesMax: number;
  readonly segmentSpanMsMax: number;
  readonly recordBytesMax: number;
  readonly clock: Clock;
  readonly openFile: OpenDiskFile;
  readonly encoder: OriginEncoder;
  readonly ends: SharedEnds;
  readonly onDamage: (damage: LogDamage) => void;
  readonly onFlush: (flush: { records: number; byteLength: number }) => void;
}

/** A segment that is complete. */
interface Sealed {
  readonly first: Position;
  readonly byteLength: number;
  /** Latest received time; null until it is needed. */
  timeMax: Micros | null;
}

interface Active {
  /** null: the file does not exist yet; it is made with the first flush. */
  file: DiskFile | null;
  readonly first: Position;
  readonly salt: number;
  readonly createdTime: Micros;
  byteLength: number;
  timeMax: Micros;
}

export class PartitionWriter {
  readonly #options: PartitionOptions;
  readonly #sealed: Sealed[] = [];
  #active!: Active;
  #next: Position = 0;
  /** Where the intact records before the active segment end, and their latest received time. */
  #previousEnd: Position = 0;
  #timeMaxBefore = Number.NEGATIVE_INFINITY;
  /** See segment.ts. */
  #refusedFrom: Position = 0;
  readonly #queue = new FlushQueue((appends) => this.#flush(appends));

  private constructor(options: PartitionOptions) {
    this.#options = options;
  }

  /** Opens the folder and repairs a torn end. `knownEnd`: the log is known to have reached this position. */
  static async open(options: PartitionOptions, knownEnd: Position): Promise<PartitionWriter> {
    const writer = new PartitionWriter(options);
    await writer.#open(knownEnd);
    return writer;
  }

  get next(): Position {
    return this.#next;
  }

  /** The oldest record that is kept. */
  get first(): Position {
    return this.#sealed[0]?.first ?? this.#active.first;
  }

  /** The oldest record once the oldest complete segment is deleted. */
  get firstAfterOldest(): Position {
    return this.#sealed[1]?.first ?? this.#active.first;
  }

  get byteLength(): number {
    return this.#sealed.reduce((sum, segment) => sum + segment.byteLength, 0) + this.#active.byteLength;
  }

  /** True where there is a complete segment, which retention may delete. */
  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /** Appends all records or rejects. Calls are written in their order. */
  append(batch: RawBatch): Promise<Position> {
    const largest = largestPayload(batch);
    if (largest > this.#options.recordBytesMax) {
      const sentence = `${this.#name}: a record of ${largest} bytes is over the limit of ${this.#options.recordBytesMax}; send less at once`;
      return Promise.reject(new FieldlineError('PAYLOAD_TOO_LARGE', sentence));
    }
    const byteLength = batch.payloadEnd[batch.count - 1]! + batch.count * 16;
    return this.#queue.push({ chunks: splitIntoChunks(batch), byteLength, count: batch.count });
  }

  /** Leaves out the positions before this one, where they are not given yet. */
  async advanceTo(position: Position): Promise<void> {
    await this.#queue.runBetween(async () => {
      if (this.#next >= position) return;
      await this.#seal(position);
      this.#publish();
    });
  }

  /** Ends the active segment, if it holds records, so that retention may take it. */
  async rollIfOlderThan(time: Micros): Promise<void> {
    await this.#queue.runBetween(async () => {
      if (this.#active.timeMax >= time || this.#active.byteLength === 0) return;
      await this.#seal(this.#next);
      this.#publish();
    });
  }

  /** The latest received time in the oldest complete segment. The file is read for it once. */
  async oldestTimeMax(): Promise<Micros> {
    const oldest = this.#sealed[0]!;
    if (oldest.timeMax === null) {
      const path = segmentPath(this.#options.folder, oldest.first);
      oldest.timeMax = (await recoverSegment(path, oldest.first)).timeMax;
    }
    return oldest.timeMax;
  }

  /** Deletes the oldest complete segment; returns its bytes. Readers that have it open can go on. */
  async dropOldest(): Promise<number> {
    const oldest = this.#sealed.shift()!;
    this.#publish();
    await rm(segmentPath(this.#options.folder, oldest.first), { force: true });
    return oldest.byteLength;
  }

  /** Waits for the flushes under way and closes the file. */
  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#active.file?.close();
    this.#options.ends.publishClosed();
  }

  get #name(): string {
    return `log ${this.#options.topic}/${this.#options.partition}`;
  }

  /** Writes a group of appends durably; returns the position of its first record. */
  async #flush(appends: readonly Append[]): Promise<Position> {
    if (this.#isSpent(appends.reduce((sum, one) => sum + one.byteLength, 0))) await this.#seal(this.#next);
    const active = this.#active;
    const first = this.#next;
    const chunks = this.#encode(appends);
    const records = appends.reduce((sum, one) => sum + one.count, 0);
    const buffers = chunks.flatMap((chunk) => chunk.buffers);
    let byteLength = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    const isNew = active.file === null;
    if (isNew) {
      buffers.unshift(this.#header());
      byteLength += SEGMENT_HEADER_BYTES;
    }
    await this.#write(buffers, isNew, records);
    await this.#sync(isNew, records);
    active.byteLength += byteLength;
    for (const chunk of chunks) active.timeMax = Math.max(active.timeMax, chunk.timeMax);
    this.#next += records;
    this.#publish();
    this.#options.onFlush({ records, byteLength });
    return first;
  }

  #isSpent(addedBytes: number): boolean {
    const { segmentBytesMax, segmentSpanMsMax, clock } = this.#options;
    if (this.#active.byteLength === 0) return false;
    const isOld = clock.nowMicros() - this.#active.createdTime > segmentSpanMsMax * 1000;
    return isOld || this.#active.byteLength + addedBytes > segmentBytesMax;
  }

  #encode(appends: readonly Append[]): EncodedChunk[] {
    let position = this.#next;
    const encoded: EncodedChunk[] = [];
    for (const batch of appends.flatMap((one) => one.chunks)) {
      encoded.push(encodeChunk(batch, position, this.#active.salt, this.#options.encoder));
      position += batch.count;
    }
    return encoded;
  }

  #header(): Buffer {
    const { salt, first, createdTime } = this.#active;
    const { folder } = this.#options;
    const before = {
      previousEnd: this.#previousEnd,
      timeMaxBefore: this.#timeMaxBefore,
      refusedFrom: this.#refusedFrom,
    };
    return encodeSegmentHeader({ salt, firstPosition: first, createdTime, ...before }, segmentPath(folder, first));
  }

  /** Writes behind the durable end. After a failure the part that was written is removed again. */
  async #write(buffers: readonly Uint8Array[], isNew: boolean, records: number): Promise<void> {
    const active = this.#active;
    const path = segmentPath(this.#options.folder, active.first);
    try {
      active.file ??= await this.#options.openFile(path, 'new');
      await active.file.write(buffers, active.byteLength);
    } catch (error) {
      if (isNew) await this.#removeActive(path);
      else await this.#cutBack(records);
      throw diskError(`${this.#name}: writing to`, path, error);
    }
  }

  /** A file that got no durable record: as if it had never been. */
  async #removeActive(path: string): Promise<void> {
    const { file } = this.#active;
    this.#active.file = null;
    await file?.close().catch(() => {
      // Nothing in it counts; the next append makes it anew.
    });
    await rm(path, { force: true });
  }

  /** Where that fails, too, what was refused may stand there whole. */
  async #cutBack(records: number): Promise<void> {
    try {
      await this.#active.file!.truncate(this.#active.byteLength);
    } catch (error) {
      await this.#abandon(records, error);
    }
  }

  async #sync(isNew: boolean, records: number): Promise<void> {
    const path = segmentPath(this.#options.folder, this.#active.first);
    try {
      await this.#active.file!.sync();
      if (isNew) await syncParentDirectory(path);
    } catch (error) {
      await this.#abandon(records, error);
      throw diskError(`${this.#name}: flushing`, path, error);
    }
  }

  /**
   * After a failed flush the kernel may have dropped what was written and report success the next time, so nothing more is
   * written to this file: what is not durable is cut off, and the next append begins a new one. The positions of the failed
   * records are not used again, since they might still be found on the disk; the next header tells readers where to stop.
   */
  async #abandon(records: number, cause: unknown): Promise<void> {
    const { file, first, byteLength } = this.#active;
    this.#options.onDamage({
      topic: this.#options.topic,
      partition: this.#options.partition,
      file: segmentPath(this.#options.folder, first),
      byteOffset: byteLength,
      byteLength: 0,
      reason: `the disk refused a write or a flush (${messageOf(cause)}); the append was rejected, a new segment is begun`,
    });
    const refusedFrom = this.#next;
    await file?.truncate(byteLength).catch(() => {
      // The end stays in the file: it was never acknowledged, and readers stop before it.
    });
    if (byteLength === 0) {
      await rm(segmentPath(this.#options.folder, first), { force: true }).catch(() => {
        // The same holds for all of it.
      });
    }
    const before = byteLength === 0 ? this.#refusedFrom : 0;
    await this.#seal(this.#next + records);
    this.#refusedFrom = before || refusedFrom;
    this.#publish();
  }

  /** The active segment is complete; the next one begins at this position, with the next flush. */
  async #seal(nextFirst: Position): Promise<void> {
    const { file, first, byteLength, timeMax } = this.#active;
    await file?.close().catch(() => {
      // Everything acknowledged was flushed before; a failing close loses nothing.
    });
    if (byteLength > 0) {
      this.#sealed.push({ first, byteLength, timeMax });
      this.#previousEnd = this.#next;
      this.#refusedFrom = 0;
      this.#timeMaxBefore = Math.max(this.#timeMaxBefore, timeMax);
    }
    this.#next = nextFirst;
    this.#begin(nextFirst);
  }

  #begin(first: Position): void {
    this.#active = {
      file: null,
      first,
      salt: Math.floor(Math.random() * 2 ** 32),
      createdTime: this.#options.clock.nowMicros(),
      byteLength: 0,
      timeMax: Number.NEGATIVE_INFINITY,
    };
  }

  #publish(): void {
    this.#options.ends.publish({
      first: this.first,
      next: this.#next,
      activeFirst: this.#active.first,
      activeBytes: this.#active.byteLength,
      byteLength: this.byteLength,
      refusedFrom: this.#refusedFrom,
    });
  }

  async #open(knownEnd: Position): Promise<void> {
    const { folder } = this.#options;
    const firsts = await listSegments(folder);
    let newest = firsts.pop();
    let nextMin = knownEnd;
    let recovery: Recovery | null = null;
    while (newest !== undefined) {
      recovery = await recoverSegment(segmentPath(folder, newest), newest);
      if (recovery.damage.length > 0 || recovery.intactEnd > SEGMENT_HEADER_BYTES) break;
      // It was cut off before its first append was durable.
      await rm(segmentPath(folder, newest));
      nextMin = Math.max(nextMin, newest);
      newest = firsts.pop();
    }
    for (const first of firsts) {
      this.#sealed.push({ first, byteLength: (await stat(segmentPath(folder, first))).size, timeMax: null });
    }
    if (newest === undefined) this.#begin(0);
    else await this.#reopen(newest, recovery!);
    if (this.#next < knownEnd) {
      this.#damaged(this.#active.byteLength, 0, `records ${this.#next} to ${knownEnd - 1} are missing at the end`);
    }
    if (this.#next < nextMin) await this.#seal(nextMin);
    this.#publish();
  }

  async #reopen(first: Position, recovery: Recovery): Promise<void> {
    this.#begin(first);
    this.#next = recovery.end;
    this.#previousEnd = recovery.header?.previousEnd ?? first;
    this.#timeMaxBefore = recovery.header?.timeMaxBefore ?? Number.POSITIVE_INFINITY;
    this.#refusedFrom = recovery.header?.refusedFrom ?? 0;
    this.#active = {
      ...this.#active,
      file: await this.#options.openFile(segmentPath(this.#options.folder, first), 'existing'),
      salt: recovery.header?.salt ?? 0,
      createdTime: recovery.header?.createdTime ?? 0,
      byteLength: recovery.damage.length === 0 ? recovery.intactEnd : recovery.byteLength,
      timeMax: recovery.timeMax,
    };
    if (recovery.damage.length > 0) {
      // The file stays as it is, for whoever looks into it; nothing more is written to it.
      for (const span of recovery.damage) this.#damaged(span.byteOffset, span.byteLength, span.reason);
      await this.#seal(recovery.nextUnused);
    } else if (recovery.byteLength > recovery.intactEnd) {
      await this.#active.file!.truncate(recovery.intactEnd);
      await this.#active.file!.sync();
    }
  }

  #damaged(byteOffset: number, byteLength: number, reason: string): void {
    const { topic, partition, folder, onDamage } = this.#options;
    onDamage({ topic, partition, file: segmentPath(folder, this.#active.first), byteOffset, byteLength, reason });
  }
}

/** Nearly always the batch itself. */
function splitIntoChunks(batch: RawBatch): RawBatch[] {
  if (batch.count <= CHUNK_RECORDS_MAX && batch.payloadEnd[batch.count - 1]! <= CHUNK_PAYLOAD_BYTES_MAX) return [batch];
  const chunks: RawBatch[] = [];
  let from = 0;
  while (from < batch.count) {
    const to = endWithin(batch, from, CHUNK_PAYLOAD_BYTES_MAX, CHUNK_RECORDS_MAX);
    chunks.push(sliceBatch(batch, from, to));
    from = to;
  }
  return chunks;
}

function largestPayload(batch: RawBatch): number {
  let largest = 0;
  let start = 0;
  for (let i = 0; i < batch.count; i++) {
    const end = batch.payloadEnd[i]!;
    if (end - start > largest) largest = end - start;
    start = end;
  }
  return largest;
}
