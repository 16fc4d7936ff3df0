/**
 * Where the runs of waiting deliveries lie that nobody needs soon: in a file beside the journal, or in memory where there is no
 * data folder. The file is no record of anything (that is the journal): it is made anew after each start, and never flushed.
 * Promise: a run comes back as it was, or read() throws.
 */
import { closeSync, ftruncate, openSync, readSync, rmSync, write } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type Logger, messageOf } from '@fieldline/kit';

/** One run. Whoever reads it later retains it; it is gone when everybody has released it. */
export interface SpooledRun {
  /** Throws where it cannot be read, or is not what was written. */
  read(): Buffer;
  retain(): void;
  release(): void;
}

export abstract class QueueSpool {
  /** Bytes of deliveries that are held as objects, and what is too much of it: then runs are made of fewer deliveries. */
  objectBytes = 0;
  readonly objectBytesMax: number;

  constructor(objectBytesMax: number) {
    this.objectBytesMax = objectBytesMax;
  }

  get isCrowded(): boolean {
    return this.objectBytes > this.objectBytesMax;
  }

  /** Bytes on disk. */
  abstract readonly fileBytes: number;
  abstract open(): void;
  abstract put(bytes: Buffer): SpooledRun;
  /** Resolves when not too much waits to be written: for whoever has much to put and can wait. */
  abstract ready(): Promise<void>;
  /** So many messages could not be read back: their queue goes on without them. */
  abstract unreadable(count: number, error: unknown): void;
  /** Waits for what is being written. */
  abstract close(): Promise<void>;
}

export class MemorySpool extends QueueSpool {
  readonly fileBytes = 0;

  open(): void {}

  put(bytes: Buffer): SpooledRun {
    return { read: () => bytes, retain: () => {}, release: () => {} };
  }

  async ready(): Promise<void> {}

  unreadable(_count: number, error: unknown): void {
    throw error;
  }

  async close(): Promise<void> {}
}

/** A run takes whole blocks of the file, wherever some are free. */
const BLOCK_BYTES = 64 * 1024;
/** Runs that are being written, for those who wait. */
const WRITES_MAX = 128;
/** An empty file of no more blocks than this is kept as it is. */
const FREE_BLOCKS_KEPT = 64;

export class FileSpool extends QueueSpool {
  readonly #path: string;
  readonly #logger: Logger;
  #file = -1;
  readonly #free: number[] = [];
  #blockCount = 0;
  #writing = 0;
  /** What is to be written once the file is cut off; null = it is not being cut off. */
  #afterCut: (() => void)[] | null = null;
  #isFailing = false;
  #ready: PromiseWithResolvers<void> | null = null;
  #closing: PromiseWithResolvers<void> | null = null;

  constructor(path: string, objectBytesMax: number, logger: Logger) {
    super(objectBytesMax);
    this.#path = path;
    this.#logger = logger;
  }

  /** What a crash has left is of no use; the file is made when there is something to put into it. */
  open(): void {
    rmSync(this.#path, { force: true });
  }

  get fileBytes(): number {
    return (this.#blockCount - this.#free.length) * BLOCK_BYTES;
  }

  put(bytes: Buffer): SpooledRun {
    return new FileRun(this, bytes);
  }

  /** Writes in the background; `done` tells the blocks, or null where there is no room: then it stays in memory. */
  write(bytes: Buffer, done: (blocks: readonly number[] | null) => void): void {
    if (this.#afterCut !== null) {
      this.#afterCut.push(() => this.write(bytes, done));
      return;
    }
    if (!this.#hasFile()) {
      done(null);
      return;
    }
    const blocks = Array.from({ length: Math.ceil(bytes.length / BLOCK_BYTES) }, () => this.#takeBlock());
    let left = blocks.length;
    let failure: Error | null = null;
    this.#writing += 1;
    for (const [index, block] of blocks.entries()) {
      const part = bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
      write(this.#file, part, 0, part.length, block * BLOCK_BYTES, (error, written) => {
        if (error !== null) failure = error;
        else if (written < part.length) failure = new Error('there is no room for all of it');
        left -= 1;
        if (left > 0) return;
        this.#tell(failure);
        if (failure !== null) this.give(blocks);
        done(failure === null ? blocks : null);
        this.#finished();
      });
    }
  }

  #hasFile(): boolean {
    if (this.#file >= 0) return true;
    try {
      this.#file = openSync(this.#path, 'w+');
    } catch (error) {
      this.#tell(error);
    }
    return this.#file >= 0;
  }

  async ready(): Promise<void> {
    if (this.#writing <= WRITES_MAX) return;
    this.#ready ??= Promise.withResolvers();
    await this.#ready.promise;
  }

  #finished(): void {
    this.#writing -= 1;
    if (this.#writing === 0) this.#closing?.resolve();
    if (this.#writing > WRITES_MAX / 2) return;
    this.#ready?.resolve();
    this.#ready = null;
  }

  unreadable(count: number, error: unknown): void {
    this.#logger.error(
      { path: this.#path, count, error: messageOf(error) },
      'waiting messages cannot be read back; they are passed over until the next start, which takes them from the journal',
    );
  }

  read(blocks: readonly number[], byteLength: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(byteLength);
    for (const [index, block] of blocks.entries()) {
      const at = index * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES, byteLength - at);
      const count = readSync(this.#file, bytes, at, length, block * BLOCK_BYTES);
      if (count < length) throw new Error(`${this.#path}: block ${block} is cut off`);
    }
    return bytes;
  }

  /** These blocks are free again. */
  give(blocks: readonly number[]): void {
    if (this.#closing !== null) return;
    this.#free.push(...blocks);
    if (this.#free.length === this.#blockCount && this.#blockCount > FREE_BLOCKS_KEPT) this.#cutOff();
  }

  /** The file is empty: its room is given back to the disk, which may take its time. */
  #cutOff(): void {
    this.#free.length = 0;
    this.#blockCount = 0;
    this.#afterCut = [];
    this.#writing += 1;
    ftruncate(this.#file, () => {
      const waiting = this.#afterCut!;
      this.#afterCut = null;
      for (const write of waiting) write();
      this.#finished();
    });
  }

  async close(): Promise<void> {
    if (this.#file < 0 || this.#closing !== null) return;
    this.#closing = Promise.withResolvers();
    // A descriptor that is closed under a write may be somebody else's by then.
    if (this.#writing > 0) await this.#closing.promise;
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  #takeBlock(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#blockCount += 1;
    return this.#blockCount - 1;
  }

  #tell(failure: unknown): void {
    if (failure !== null && !this.#isFailing) {
      this.#logger.warn(
        { path: this.#path, error: messageOf(failure) },
        'waiting messages stay in memory, since their file cannot be written; make room on the disk',
      );
    }
    this.#isFailing = failure !== null;
  }
}

class FileRun implements SpooledRun {
  readonly #spool: FileSpool;
  readonly #byteLength: number;
  readonly #checksum: number;
  /** Until it is written. */
  #bytes: Buffer | null;
  #blocks: readonly number[] | null = null;
  #users = 1;

  constructor(spool: FileSpool, bytes: Buffer) {
    this.#spool = spool;
    this.#bytes = bytes;
    this.#byteLength = bytes.length;
    this.#checksum = crc32(bytes);
    spool.write(bytes, (blocks) => {
      if (blocks === null) return;
      if (this.#users === 0) spool.give(blocks);
      else {
        this.#blocks = blocks;
        this.#bytes = null;
      }
    });
  }

  read(): Buffer {
    if (this.#bytes !== null) return this.#bytes;
    const bytes = this.#spool.read(this.#blocks!, this.#byteLength);
    if (crc32(bytes) !== this.#checksum) throw new Error('waiting messages have changed on the disk');
    return bytes;
  }

  retain(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0 || this.#blocks === null) return;
    this.#spool.give(this.#blocks);
    this.#blocks = null;
  }
}
