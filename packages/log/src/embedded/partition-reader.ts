/**
 * The reading half of one partition, in any thread: finds the chunk of a position, reads large pieces, checks every
 * checksum, and puts the chunks of one piece together into one batch. Damage is reported and passed over.
 */
import type { LoggedBatch, Micros, Position, RawBatch } from '@fieldline/model';
import type { LogDamage } from '../log.ts';
import { endWithin, positionGone, sliceBatch } from '../partition.ts';
import { CHUNK_HEADER_BYTES, type ChunkHeader, decodeChunk, decodeChunkHeader, isBodyIntact } from './chunk.ts';
import { findChunk } from './find-chunk.ts';
import { mergeBatches } from './merge-batches.ts';
import { OriginDecoder } from './origin-table.ts';
import { FileWindow, readBytes, SEGMENT_HEADER_BYTES } from './segment.ts';
import { type ReadableSegment, SegmentFiles } from './segment-files.ts';
import type { PartitionEnds, SharedEnds } from './shared-ends.ts';

/** Read beside the payloads: headers, columns and origins. */
const READ_EXTRA_BYTES = 512 * 1024;
const HEADER_WINDOW_BYTES = 64 * 1024;
/** Places at which readers will go on, kept so that they need not be looked for. */
const PLACES_MAX = 256;
/** Damaged places that are remembered so that each is reported once. */
const REPORTS_MAX = 10_000;

/** Where to read on. `reached`: the end of the records that were found before, or null where damage makes it unknown. */
interface Place {
  readonly segment: ReadableSegment;
  readonly byteOffset: number;
  readonly reached: Position | null;
}

interface PieceLimits {
  readonly bytesMax: number;
  readonly recordsMax: number;
}

export interface PartitionReaderOptions {
  readonly topic: string;
  readonly partition: number;
  readonly folder: string;
  readonly ends: SharedEnds;
  readonly onDamage: (damage: LogDamage) => void;
}

export class PartitionReader {
  readonly #options: PartitionReaderOptions;
  readonly #files: SegmentFiles;
  readonly #decoder = new OriginDecoder();
  readonly #places = new Map<Position, Place>();
  readonly #reported = new Set<string>();
  /** The chunk of which a part was given out last: its rest is mostly asked for next. */
  #partlyRead: { readonly first: Position; readonly batch: RawBatch; readonly after: Place } | null = null;

  constructor(options: PartitionReaderOptions) {
    this.#options = options;
    this.#files = new SegmentFiles(options.folder);
  }

  /** The next records from `from` on; null where there is none yet. */
  async read(from: Position, limits: PieceLimits): Promise<LoggedBatch | null> {
    for (;;) {
      const ends = this.#options.ends.load();
      if (from < ends.first) throw positionGone(this.#options.topic, this.#options.partition, from, ends.first);
      if (from >= ends.next) return null;
      const rest = this.#restOfPartlyRead(from, limits);
      if (rest !== null) return rest;
      try {
        const place = await this.#placeOf(from, ends);
        if (place === null) return null;
        const result = await this.#readPiece(place, from, ends, limits);
        await this.#files.trim();
        if (result === 'end') return null;
        if (result !== 'moved') return result;
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOENT') throw error;
        // Retention was faster: look again at what there is.
        this.#places.clear();
        await this.#files.refresh();
      }
    }
  }

  /** The first position that was received at or after this time. */
  async positionAtTime(time: Micros): Promise<Position> {
    const ends = this.#options.ends.load();
    await this.#files.refresh();
    const segments = this.#files.all;
    for (const [index, segment] of segments.entries()) {
      const next = segments[index + 1];
      // Unknown (damaged header) counts as "may be here".
      if (next !== undefined && ((await next.header())?.timeMaxBefore ?? Infinity) < time) continue;
      const position = await this.#positionInSegment(segment, time, ends);
      if (position !== null) return position;
    }
    return ends.next;
  }

  async close(): Promise<void> {
    await this.#files.trim(0);
  }

  async #placeOf(from: Position, ends: PartitionEnds): Promise<Place | null> {
    const known = this.#places.get(from);
    if (known !== undefined) return known;
    if (!this.#files.has(ends.activeFirst)) await this.#files.refresh();
    const segment = this.#files.at(from);
    if (segment === undefined) return null;
    const { position, byteOffset } = segment.nearest(from);
    const place = { segment, byteOffset, reached: position };
    return segment.use(async (handle) => {
      const window = new FileWindow(handle, HEADER_WINDOW_BYTES);
      const limit = await this.#limitOf(segment, ends);
      const salt = (await segment.header())?.salt ?? null;
      return walkTo(window, place, limit, salt, (header) => header.firstPosition + header.count > from);
    });
  }

  /** Where reading of this segment ends: complete segments at the end of the file, the active one where it is durable. */
  async #limitOf(segment: ReadableSegment, ends: PartitionEnds): Promise<number> {
    if (segment.first === ends.activeFirst) return ends.activeBytes;
    const length = await segment.fileLength();
    if (!(await segment.isMisplaced())) return length;
    this.#report(segment, 0, length, 'this is the file of another segment; it is passed over');
    return 0;
  }

  /** What stands in the segment from this position on was refused, and is not given out. */
  async #endOf(segment: ReadableSegment, ends: PartitionEnds): Promise<Position> {
    const next = this.#files.after(segment);
    if (segment.first === ends.activeFirst) return Infinity;
    const isLast = next === undefined || next.first >= ends.activeFirst;
    const refusedFrom = isLast ? ends.refusedFrom : ((await next.header())?.refusedFrom ?? 0);
    return refusedFrom > 0 ? refusedFrom : Infinity;
  }

  /** Reads from a place. 'moved': nothing to give out there, but #places knows where to go on. */
  async #readPiece(
    place: Place,
    from: Position,
    ends: PartitionEnds,
    limits: PieceLimits,
  ): Promise<LoggedBatch | 'moved' | 'end'> {
    const { segment, byteOffset } = place;
    const limit = await this.#limitOf(segment, ends);
    const end = await this.#endOf(segment, ends);
    const isAtEnd = byteOffset >= limit || (place.reached !== null && place.reached >= end);
    if (isAtEnd) return this.#moveToNextSegment(place, from, ends);
    const header = await segment.header();
    if (header === null) this.#report(segment, 0, SEGMENT_HEADER_BYTES, 'the segment header is damaged');
    const piece = await segment.use((handle) =>
      readPiece(handle, byteOffset, limit, limits, header?.salt ?? null, { from: place.reached ?? from, to: end }),
    );
    if (piece.chunks.length === 0) {
      await this.#passDamage(place, from, limit, header?.salt ?? null);
      return 'moved';
    }
    return this.#toBatch(place, from, piece.bytes, piece.chunks, limits);
  }

  async #moveToNextSegment(place: Place, from: Position, ends: PartitionEnds): Promise<'moved' | 'end'> {
    if (place.segment.first === ends.activeFirst) return 'end';
    let next = this.#files.after(place.segment);
    if (next === undefined) {
      await this.#files.refresh();
      next = this.#files.after(place.segment);
    }
    // The active segment gets its file with its first append.
    if (next === undefined) return 'end';
    const previousEnd = (await next.header())?.previousEnd ?? next.first;
    if (place.reached !== null && place.reached < previousEnd) {
      const reason = `records ${place.reached} to ${previousEnd - 1} are missing: the file ends too early`;
      this.#report(place.segment, place.byteOffset, 0, reason);
    }
    this.#setPlace(from, { segment: next, byteOffset: SEGMENT_HEADER_BYTES, reached: next.first });
    return 'moved';
  }

  async #passDamage(place: Place, from: Position, limit: number, salt: number | null): Promise<void> {
    const { segment, byteOffset } = place;
    const found = await segment.use((handle) =>
      findChunk(handle, byteOffset + 1, limit, salt, place.reached ?? segment.first),
    );
    const end = found?.byteOffset ?? limit;
    this.#report(segment, byteOffset, end - byteOffset, 'a chunk is damaged; its records are passed over');
    this.#setPlace(from, { segment, byteOffset: end, reached: found?.header.firstPosition ?? null });
  }

  #toBatch(
    place: Place,
    from: Position,
    bytes: Buffer,
    chunks: readonly PlacedChunk[],
    limits: PieceLimits,
  ): LoggedBatch | 'moved' {
    const useful = chunks.filter(({ header }) => header.firstPosition + header.count > from);
    const { segment, byteOffset } = place;
    for (const { at, header } of chunks) segment.remember(header.firstPosition, byteOffset + at);
    const placeAfter = ({ at, header }: PlacedChunk): Place => ({
      segment,
      byteOffset: byteOffset + at + header.byteLength,
      reached: header.firstPosition + header.count,
    });
    if (useful.length === 0) {
      this.#setPlace(from, placeAfter(chunks.at(-1)!));
      return 'moved';
    }
    const batches = useful.map(({ at, header }) => decodeChunk(bytes, at, header, this.#decoder));
    const first = useful[0]!.header.firstPosition;
    const last = useful.at(-1)!;
    const merged = mergeBatches(batches);
    return this.#give(merged, first, Math.max(from, first), limits, placeAfter(last), from);
  }

  /** Gives out [start, …) of a batch within the limits and remembers where to go on. */
  #give(
    batch: RawBatch,
    first: Position,
    start: Position,
    limits: PieceLimits,
    after: Place,
    asked: Position,
  ): LoggedBatch {
    const skip = start - first;
    const end = endWithin(batch, skip, limits.bytesMax, limits.recordsMax);
    this.#places.delete(asked);
    if (end < batch.count) this.#partlyRead = { first, batch, after };
    else {
      this.#partlyRead = null;
      this.#setPlace(first + end, after);
    }
    const whole = skip === 0 && end === batch.count;
    const { topic, partition } = this.#options;
    return { ...(whole ? batch : sliceBatch(batch, skip, end)), topic, partition, firstPosition: start };
  }

  #restOfPartlyRead(from: Position, limits: PieceLimits): LoggedBatch | null {
    const kept = this.#partlyRead;
    if (kept === null || from < kept.first || from >= kept.first + kept.batch.count) return null;
    return this.#give(kept.batch, kept.first, from, limits, kept.after, from);
  }

  async #positionInSegment(segment: ReadableSegment, time: Micros, ends: PartitionEnds): Promise<Position | null> {
    const limit = await this.#limitOf(segment, ends);
    const end = await this.#endOf(segment, ends);
    const salt = (await segment.header())?.salt ?? null;
    return segment.use(async (handle) => {
      const window = new FileWindow(handle, HEADER_WINDOW_BYTES);
      let place: Place = { segment, byteOffset: SEGMENT_HEADER_BYTES, reached: segment.first };
      while (place.byteOffset < limit) {
        place = await walkTo(window, place, limit, salt, (header) => header.timeMax >= time);
        if (place.byteOffset >= limit || (place.reached !== null && place.reached >= end)) return null;
        const bytes = await readChunk(handle, place.byteOffset, limit, salt);
        if (bytes === null) {
          const found = await findChunk(handle, place.byteOffset + 1, limit, salt, place.reached ?? segment.first);
          this.#report(
            segment,
            place.byteOffset,
            (found?.byteOffset ?? limit) - place.byteOffset,
            'a chunk is damaged',
          );
          place = { segment, byteOffset: found?.byteOffset ?? limit, reached: null };
          continue;
        }
        const header = decodeChunkHeader(bytes, 0, salt)!;
        const { receivedTime } = decodeChunk(bytes, 0, header, this.#decoder);
        return header.firstPosition + receivedTime.findIndex((received) => received >= time);
      }
      return null;
    });
  }

  #setPlace(position: Position, place: Place): void {
    this.#places.delete(position);
    this.#places.set(position, place);
    if (this.#places.size > PLACES_MAX) this.#places.delete(this.#places.keys().next().value!);
  }

  #report(segment: ReadableSegment, byteOffset: number, byteLength: number, reason: string): void {
    const key = `${segment.first}:${byteOffset}`;
    if (this.#reported.has(key)) return;
    if (this.#reported.size >= REPORTS_MAX) this.#reported.clear();
    this.#reported.add(key);
    const { topic, partition, onDamage } = this.#options;
    onDamage({ topic, partition, file: segment.path, byteOffset, byteLength, reason });
  }
}

interface PlacedChunk {
  /** Where the chunk begins in the piece. */
  readonly at: number;
  readonly header: ChunkHeader;
}

interface PositionRange {
  readonly from: Position;
  readonly to: Position;
}

type Handle = Parameters<typeof readBytes>[0];

/** Steps from chunk to chunk by their headers until one is wanted, is damaged, or the limit is reached. */
async function walkTo(
  window: FileWindow,
  from: Place,
  limit: number,
  salt: number | null,
  isWanted: (header: ChunkHeader) => boolean,
): Promise<Place> {
  let place = from;
  while (place.byteOffset + CHUNK_HEADER_BYTES <= limit) {
    const header = decodeChunkHeader(await window.view(place.byteOffset, CHUNK_HEADER_BYTES), 0, salt);
    if (header === null || isWanted(header) || place.byteOffset + header.byteLength > limit) return place;
    place.segment.remember(header.firstPosition, place.byteOffset);
    const byteOffset = place.byteOffset + header.byteLength;
    place = { segment: place.segment, byteOffset, reached: header.firstPosition + header.count };
  }
  return place;
}

/** The intact chunks from here on, as many as the limits take; none where the first one is damaged. */
async function readPiece(
  handle: Handle,
  fileOffset: number,
  limit: number,
  limits: PieceLimits,
  salt: number | null,
  positions: PositionRange,
): Promise<{ bytes: Buffer; chunks: PlacedChunk[] }> {
  const length = Math.min(limit - fileOffset, limits.bytesMax + READ_EXTRA_BYTES);
  const bytes = await readBytes(handle, fileOffset, length);
  const chunks = intactChunks(bytes, limits, salt, positions);
  if (chunks.length > 0) return { bytes, chunks };
  // One chunk may be larger than the piece; and what looks damaged is read once more before it is called so.
  const whole = await readChunk(handle, fileOffset, limit, salt);
  if (whole === null) return { bytes, chunks };
  return { bytes: whole, chunks: intactChunks(whole, limits, salt, positions) };
}

function intactChunks(
  bytes: Buffer,
  limits: PieceLimits,
  salt: number | null,
  positions: PositionRange,
): PlacedChunk[] {
  const chunks: PlacedChunk[] = [];
  let at = 0;
  let payloadBytes = 0;
  let records = 0;
  let position = positions.from;
  while (at < bytes.length && payloadBytes < limits.bytesMax && records < limits.recordsMax) {
    const header = decodeChunkHeader(bytes, at, salt);
    if (header === null || header.firstPosition + header.count <= position) break;
    if (header.firstPosition >= positions.to) break;
    const isGap = chunks.length > 0 && header.firstPosition !== position;
    if (isGap || !isBodyIntact(bytes, at, header)) break;
    chunks.push({ at, header });
    at += header.byteLength;
    payloadBytes += header.payloadLength;
    records += header.count;
    position = header.firstPosition + header.count;
  }
  return chunks;
}

/** One whole chunk, if it is intact. */
async function readChunk(
  handle: Handle,
  fileOffset: number,
  limit: number,
  salt: number | null,
): Promise<Buffer | null> {
  const header = decodeChunkHeader(await readBytes(handle, fileOffset, CHUNK_HEADER_BYTES), 0, salt);
  if (header === null || fileOffset + header.byteLength > limit) return null;
  const bytes = await readBytes(handle, fileOffset, header.byteLength);
  return isBodyIntact(bytes, 0, header) ? bytes : null;
}
