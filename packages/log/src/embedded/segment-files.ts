/**
 * The segments of a partition as a reader sees them: found by name, opened when needed, a few kept open. A segment that
 * retention has deleted meanwhile is found missing by refresh(); whoever holds it open reads on.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Position } from '@fieldline/model';
import {
  decodeSegmentHeader,
  listSegments,
  readBytes,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentPath,
} from './segment.ts';

/** Files that stay open when nobody reads from them. */
const IDLE_FILES_MAX = 8;
/** Distance between the remembered places of a segment. */
const INDEX_STEP_BYTES = 1024 * 1024;

export class SegmentFiles {
  readonly #folder: string;
  #segments: ReadableSegment[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Looks up which segments there are. */
  async refresh(): Promise<void> {
    const firsts = await listSegments(this.#folder);
    const known = new Map(this.#segments.map((segment) => [segment.first, segment]));
    this.#segments = firsts.map((first) => {
      const segment = known.get(first) ?? new ReadableSegment(segmentPath(this.#folder, first), first);
      known.delete(first);
      return segment;
    });
    for (const gone of known.values()) await gone.closeIdle();
  }

  get all(): readonly ReadableSegment[] {
    return this.#segments;
  }

  has(first: Position): boolean {
    return this.#segments.some((segment) => segment.first === first);
  }

  /** The segment in which this position lies or would lie; the oldest one for what lies before it. */
  at(position: Position): ReadableSegment | undefined {
    return this.#segments.findLast((segment) => segment.first <= position) ?? this.#segments[0];
  }

  after(segment: ReadableSegment): ReadableSegment | undefined {
    return this.#segments.find((other) => other.first > segment.first);
  }

  /** Closes files that nobody uses, beyond the few that stay open. */
  async trim(filesMax = IDLE_FILES_MAX): Promise<void> {
    const idle = this.#segments.filter((segment) => segment.isIdle);
    idle.sort((a, b) => a.lastUse - b.lastUse);
    for (const segment of idle.slice(0, Math.max(0, idle.length - filesMax))) await segment.closeIdle();
  }
}

let useCount = 0;

export class ReadableSegment {
  readonly path: string;
  readonly first: Position;
  lastUse = 0;
  #handle: Promise<FileHandle> | null = null;
  #users = 0;
  #header: ReturnType<typeof decodeSegmentHeader> | undefined;
  readonly #index: { position: Position; byteOffset: number }[] = [];

  constructor(path: string, first: Position) {
    this.path = path;
    this.first = first;
  }

  get isIdle(): boolean {
    return this.#handle !== null && this.#users === 0;
  }

  /** Runs `work` with the open file. Rejects with the system's ENOENT where the segment has been deleted. */
  async use<T>(work: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.#users += 1;
    this.lastUse = ++useCount;
    try {
      this.#handle ??= open(this.path, 'r');
      return await work(await this.#handle);
    } catch (error) {
      if ((error as { syscall?: string }).syscall === 'open') this.#handle = null;
      throw error;
    } finally {
      this.#users -= 1;
    }
  }

  async closeIdle(): Promise<void> {
    if (!this.isIdle) return;
    const handle = this.#handle!;
    this.#handle = null;
    await (await handle).close();
  }

  /** The header; null where it is damaged, or another segment's. */
  async header(): Promise<SegmentHeader | null> {
    return (await this.isMisplaced()) ? null : (this.#header as SegmentHeader | null);
  }

  /** True where the file is another segment's: nothing in it may be given out as this one's. */
  async isMisplaced(): Promise<boolean> {
    this.#header ??= await this.use(async (handle) =>
      decodeSegmentHeader(await readBytes(handle, 0, SEGMENT_HEADER_BYTES), this.path),
    );
    return this.#header === 'misplaced';
  }

  async fileLength(): Promise<number> {
    return this.use(async (handle) => (await handle.stat()).size);
  }

  /** Remembers that a chunk beginning with this position stands here. One place per MiB is kept. */
  remember(position: Position, byteOffset: number): void {
    const last = this.#index.at(-1)?.byteOffset ?? SEGMENT_HEADER_BYTES;
    if (byteOffset >= last + INDEX_STEP_BYTES) this.#index.push({ position, byteOffset });
  }

  /** The nearest remembered place at or before a position. */
  nearest(position: Position): { position: Position; byteOffset: number } {
    const start = { position: this.first, byteOffset: SEGMENT_HEADER_BYTES };
    return this.#index.findLast((place) => place.position <= position) ?? start;
  }
}
