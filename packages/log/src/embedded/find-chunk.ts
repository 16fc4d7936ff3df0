/** Looks for the next intact chunk behind a damaged place of a segment. */
import type { FileHandle } from 'node:fs/promises';
import type { Position } from '@fieldline/model';
import { CHUNK_ALIGNMENT, CHUNK_HEADER_BYTES, type ChunkHeader, decodeChunkHeader, isBodyIntact } from './chunk.ts';
import { FileWindow, readBytes } from './segment.ts';

const WINDOW_BYTES = 1024 * 1024;

export interface FoundChunk {
  readonly byteOffset: number;
  readonly header: ChunkHeader;
}

/**
 * The first chunk at or behind `from` (and before `limit`) whose header and body are intact, that carries the salt (null =
 * any) and whose position is not below `positionMin`; null where there is none.
 */
export async function findChunk(
  handle: FileHandle,
  from: number,
  limit: number,
  salt: number | null,
  positionMin: Position,
): Promise<FoundChunk | null> {
  const window = new FileWindow(handle, WINDOW_BYTES);
  const aligned = Math.ceil(from / CHUNK_ALIGNMENT) * CHUNK_ALIGNMENT;
  for (let start = aligned; start + CHUNK_HEADER_BYTES <= limit; start += WINDOW_BYTES - CHUNK_HEADER_BYTES) {
    const bytes = Buffer.from(await window.view(start, Math.min(WINDOW_BYTES, limit - start)));
    for (let at = 0; at + CHUNK_HEADER_BYTES <= bytes.length; at += CHUNK_ALIGNMENT) {
      const header = decodeChunkHeader(bytes, at, salt);
      if (header === null || header.firstPosition < positionMin || start + at + header.byteLength > limit) continue;
      const whole = await readBytes(handle, start + at, header.byteLength);
      if (isBodyIntact(whole, 0, header)) return { byteOffset: start + at, header };
    }
  }
  return null;
}
