/**
 * What the newest segment of a partition holds after a crash: every chunk is checked; an end that was cut off by the crash
 * is told from damage. Reads only.
 */
import { stat } from 'node:fs/promises';
import type { Micros, Position } from '@fieldline/model';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, isBodyIntact } from './chunk.ts';
import { findChunk } from './find-chunk.ts';
import { decodeSegmentHeader, FileWindow, SEGMENT_HEADER_BYTES, type SegmentHeader, withSegment } from './segment.ts';

const WINDOW_BYTES = 4 * 1024 * 1024;
/** The least that a record takes in a chunk: its columns. */
const RECORD_BYTES_MIN = 16;

export interface DamagedSpan {
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly reason: string;
  /** Records from this position on may have stood there; none where both are equal. */
  readonly from: Position;
  /** Where the next intact record is; null = none follows. */
  readonly to: Position | null;
}

export interface Recovery {
  /** null: damaged, or not written completely. */
  readonly header: SegmentHeader | null;
  readonly byteLength: number;
  /** Where the last intact chunk ends. */
  readonly intactEnd: number;
  /** The position behind the last intact record. */
  readonly end: Position;
  /** A position that was never given to a record of this segment, whatever the damage has taken. */
  readonly nextUnused: Position;
  readonly timeMax: Micros;
  readonly recordCount: number;
  readonly damage: readonly DamagedSpan[];
}

/** Scans a segment whose first position is `first`. Throws FORMAT_TOO_NEW. */
export async function recoverSegment(path: string, first: Position): Promise<Recovery> {
  const byteLength = (await stat(path)).size;
  return withSegment(path, async (handle) => {
    const window = new FileWindow(handle, WINDOW_BYTES);
    const header = decodeSegmentHeader(await window.view(0, SEGMENT_HEADER_BYTES), path);
    if (header === 'misplaced') return lostWhole(byteLength, first, MISPLACED);
    const damage: DamagedSpan[] = [];
    if (header === null && byteLength > SEGMENT_HEADER_BYTES) {
      const reason = 'the segment header is damaged';
      damage.push({ byteOffset: 0, byteLength: SEGMENT_HEADER_BYTES, reason, from: first, to: first });
    }
    let salt = header?.salt ?? null;
    let at = SEGMENT_HEADER_BYTES;
    let end = first;
    let timeMax = Number.NEGATIVE_INFINITY;
    let recordCount = 0;
    let nextUnused: Position | null = null;
    while (at < byteLength) {
      const head = decodeChunkHeader(await window.view(at, Math.min(CHUNK_HEADER_BYTES, byteLength - at)), 0, salt);
      const fits = head !== null && head.firstPosition >= end && at + head.byteLength <= byteLength;
      if (fits && isBodyIntact(await window.view(at, head.byteLength), 0, head)) {
        salt ??= head.salt;
        at += head.byteLength;
        end = head.firstPosition + head.count;
        recordCount += head.count;
        timeMax = Math.max(timeMax, head.timeMax);
        continue;
      }
      const found = await findChunk(handle, at + 1, byteLength, salt, end);
      if (found === null) {
        const isTorn = byteLength - at < CHUNK_HEADER_BYTES || (head !== null && !fits && head.firstPosition >= end);
        if (isTorn || (await isZero(window, at, byteLength))) break;
        const reason = 'the last chunk is damaged';
        damage.push({ byteOffset: at, byteLength: byteLength - at, reason, from: end, to: null });
        nextUnused = end + Math.ceil((byteLength - at) / RECORD_BYTES_MIN);
        break;
      }
      const to = found.header.firstPosition;
      damage.push({ byteOffset: at, byteLength: found.byteOffset - at, reason: 'a chunk is damaged', from: end, to });
      at = found.byteOffset;
    }
    const intactEnd = Math.min(at, byteLength);
    if (header === null && recordCount === 0 && byteLength > SEGMENT_HEADER_BYTES)
      return lostWhole(byteLength, first, NOTHING_INTACT);
    return { header, byteLength, intactEnd, end, nextUnused: nextUnused ?? end, timeMax, recordCount, damage };
  });
}

const NOTHING_INTACT = 'neither its header nor anything in it is intact';
const MISPLACED = 'this is the file of another segment, put in the place of this one';

/** Nothing of it counts. What stood here is unknown; positions are not used again as far as it may have reached. */
function lostWhole(byteLength: number, first: Position, reason: string): Recovery {
  return {
    header: null,
    byteLength,
    intactEnd: 0,
    end: first,
    nextUnused: first + Math.ceil(byteLength / RECORD_BYTES_MIN),
    timeMax: Number.NEGATIVE_INFINITY,
    recordCount: 0,
    damage: [{ byteOffset: 0, byteLength, reason, from: first, to: null }],
  };
}

/** True where only zeros follow: what a file system may leave of an append that a power cut has cut off. */
async function isZero(window: FileWindow, from: number, to: number): Promise<boolean> {
  for (let at = from; at < to; at += WINDOW_BYTES) {
    const bytes = await window.view(at, Math.min(WINDOW_BYTES, to - at));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}
