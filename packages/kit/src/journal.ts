/**
 * A journal: an append-only file of checksummed records for small state that must survive a crash (broker sessions,
 * consumer positions). Opening it reads every intact record back and cuts off a torn end. append() resolves when the
 * record is on disk; appends that arrive during a flush are written together (group commit). rewrite() and replace() put a
 * snapshot in the content's place, atomically: a crash leaves either the old journal or the new one.
 */
import { copyFile, constants as fsConstants, readFile } from 'node:fs/promises';
import { type DiskFile, diskError, type OpenDiskFile, openDiskFile } from './disk-file.ts';
import { FieldlineError, messageOf } from './errors.ts';
import { frameRecord, scanJournal } from './journal-format.ts';
import { JournalReplacement, removeReplacements } from './journal-replacement.ts';

export interface Journal {
  /** Adds a record; resolves when it is on disk. Records keep the order of the calls. The bytes are copied. */
  append(record: Uint8Array): Promise<void>;
  /** Replaces all records by these; appends made meanwhile come after them. The records are taken at the call. */
  rewrite(records: Iterable<Uint8Array>): Promise<void>;
  /**
   * The same for content that is too much for one go: the records are taken as they come, and appends go on meanwhile. Whatever
   * was not on disk at the call, and all that was appended since, comes after them: it must do no harm to a record that tells
   * of it already. Rejects where rewrite() or close() came before its end, with the old content in place. One at a time.
   */
  replace(records: AsyncIterable<Uint8Array>): Promise<void>;
  /** Bytes in the file, to decide when to rewrite. */
  readonly byteLength: number;
  /** Waits for what is under way and closes the file. */
  close(): Promise<void>;
}

export interface JournalOpening {
  readonly journal: Journal;
  /** The intact records, in order. */
  readonly records: readonly Uint8Array[];
  /** What was found damaged, in words with file and byte offset; empty where all was well. */
  readonly damage: readonly string[];
}

export interface JournalOptions {
  /** A longer record is refused with PAYLOAD_TOO_LARGE. Default 16 MiB. */
  readonly recordBytesMax?: number;
  /** When more than this waits for the disk, append() is refused with OVERLOADED. Default 64 MiB. */
  readonly waitingBytesMax?: number;
  /** How files are opened; tests make the disk fail here. */
  readonly openFile?: OpenDiskFile;
}

/**
 * Opens a journal, or makes an empty one (its folder must exist). A file with damage is kept beside it as
 * `<path>.<n>.damaged` and the journal is rewritten from the intact records. Rejects with FORMAT_TOO_NEW, UNAVAILABLE,
 * DISK_FULL. Assumes that nobody else has the file open.
 */
export async function openJournal(path: string, options: JournalOptions = {}): Promise<JournalOpening> {
  const openFile = options.openFile ?? openDiskFile;
  await removeReplacements(path);
  const bytes = await readIfThere(path);
  const scan = bytes === null ? { records: [], intactEnd: 0, damage: [] } : scanJournal(bytes, path);
  if (scan.damage.length > 0) scan.damage.push(`${path}: the file as it was found is kept as ${await keepAside(path)}`);
  let file: DiskFile;
  let byteLength = scan.intactEnd;
  if (bytes === null || scan.damage.length > 0) {
    const replacement = await writeReplacement(path, scan.records.map(frameRecord), openFile);
    ({ file, byteLength } = replacement);
    await replacement.putInPlace();
  } else {
    file = await openFile(path, 'existing');
    if (bytes.length > byteLength) {
      await file.truncate(byteLength);
      await file.sync();
    }
  }
  return {
    journal: new FileJournal(path, file, byteLength, { ...options, openFile }),
    records: scan.records,
    damage: scan.damage,
  };
}

export interface JournalReading extends Pick<JournalOpening, 'records' | 'damage'> {
  /** Bytes behind the last intact record, where nothing is damaged: an append that was cut off, or is under way. */
  readonly tornBytes: number;
}

/** Reads a journal that somebody else has open, as far as it is complete. An absent file has no records. */
export async function readJournal(path: string): Promise<JournalReading> {
  const bytes = await readIfThere(path);
  if (bytes === null) return { records: [], damage: [], tornBytes: 0 };
  const { records, damage, intactEnd } = scanJournal(bytes, path);
  return { records, damage, tornBytes: damage.length > 0 ? 0 : bytes.length - intactEnd };
}

interface Waiting {
  /** Frames to be added, or the frames of a new file. */
  readonly frames: Uint8Array[];
  readonly kind: 'append' | 'rewrite' | 'exchange';
  /** For 'exchange': what takes the journal's place, and up to where it has the journal's bytes already. */
  readonly replacement?: { readonly by: JournalReplacement; readonly copiedTo: number };
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class FileJournal implements Journal {
  readonly #path: string;
  readonly #options: Required<JournalOptions>;
  #file: DiskFile;
  #byteLength: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #working: Promise<void> | null = null;
  /** Why nothing is taken any more: closed, or a flush has failed. */
  #refusal: FieldlineError | null = null;
  #closing: Promise<void> | null = null;
  #replacing: Promise<void> | null = null;
  /** Counts the files that this journal has been: places in one mean nothing in the next. */
  #generation = 0;

  constructor(path: string, file: DiskFile, byteLength: number, options: JournalOptions & { openFile: OpenDiskFile }) {
    this.#path = path;
    this.#file = file;
    this.#byteLength = byteLength;
    this.#options = { recordBytesMax: 2 ** 24, waitingBytesMax: 2 ** 26, ...options };
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  append(record: Uint8Array): Promise<void> {
    const { recordBytesMax, waitingBytesMax } = this.#options;
    if (record.length > recordBytesMax) {
      const sentence = `${this.#path}: a record of ${record.length} bytes is over the limit of ${recordBytesMax}`;
      return Promise.reject(new FieldlineError('PAYLOAD_TOO_LARGE', sentence));
    }
    if (this.#waitingBytes > waitingBytesMax) {
      const sentence = `${this.#path}: over ${waitingBytesMax} bytes wait for the disk; try again later`;
      return Promise.reject(new FieldlineError('OVERLOADED', sentence));
    }
    return this.#enqueue('append', [frameRecord(record)]);
  }

  rewrite(records: Iterable<Uint8Array>): Promise<void> {
    return this.#enqueue('rewrite', Array.from(records, frameRecord));
  }

  async replace(records: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#replacing !== null) throw new FieldlineError('CONFLICT', `${this.#path} is being replaced already`);
    if (this.#closing !== null) throw this.#refusal!;
    const replacing = this.#replace(records);
    const settled = replacing
      .catch(() => {})
      .finally(() => {
        this.#replacing = null;
      });
    this.#replacing = settled;
    await replacing;
  }

  async #replace(records: AsyncIterable<Uint8Array>): Promise<void> {
    const generation = this.#generation;
    const from = this.#byteLength;
    const by = await JournalReplacement.start(this.#path, 'replacement', this.#options.openFile);
    try {
      for await (const record of records) {
        this.#checkStill(generation);
        await by.add([frameRecord(record)]);
      }
      // What was appended meanwhile, all but the last of it while appends still go on.
      this.#checkStill(generation);
      const copiedTo = this.#byteLength;
      await by.copyFromJournal(from, copiedTo);
      await by.flush();
      this.#checkStill(generation);
      await this.#enqueue('exchange', [], { by, copiedTo });
    } catch (error) {
      if (this.#file !== by.file) await by.discard();
      throw error;
    }
  }

  #checkStill(generation: number): void {
    if (this.#closing !== null) throw this.#refusal!;
    if (this.#generation !== generation)
      throw new FieldlineError('CONFLICT', `${this.#path} was rewritten while it was being replaced`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#refusal = new FieldlineError('STOPPED', `${this.#path} has been closed`);
    await this.#working;
    await this.#replacing;
    await this.#file.close();
  }

  #enqueue(kind: Waiting['kind'], frames: Uint8Array[], replacement?: Waiting['replacement']): Promise<void> {
    const mends = kind !== 'append' && this.#refusal?.code === 'UNAVAILABLE' && this.#closing === null;
    if (this.#refusal !== null && !mends) return Promise.reject(this.#refusal);
    const promise = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ kind, frames, resolve, reject, ...(replacement && { replacement }) });
    });
    this.#waitingBytes += byteLengthOf(frames);
    this.#working ??= this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    // One turn later, so that calls made in the same turn share the first flush.
    await null;
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      const frames = group.flatMap((one) => one.frames);
      try {
        const { kind, replacement } = group[0]!;
        if (kind === 'rewrite') await this.#rewriteNow(frames);
        else if (kind === 'exchange') await this.#exchangeNow(replacement!);
        else await this.#appendNow(frames);
        for (const one of group) one.resolve();
      } catch (error) {
        for (const one of group) one.reject(error);
      }
      this.#waitingBytes -= byteLengthOf(frames);
    }
    this.#working = null;
  }

  /** The calls that share the next flush: one new file alone, or all appends up to the next new file. */
  #takeGroup(): Waiting[] {
    if (this.#waiting[0]!.kind !== 'append') return this.#waiting.splice(0, 1);
    const newFileAt = this.#waiting.findIndex((one) => one.kind !== 'append');
    return this.#waiting.splice(0, newFileAt === -1 ? this.#waiting.length : newFileAt);
  }

  async #appendNow(frames: Uint8Array[]): Promise<void> {
    if (this.#refusal !== null && this.#refusal.code !== 'STOPPED') throw this.#refusal;
    try {
      await this.#file.write(frames, this.#byteLength);
    } catch (error) {
      await this.#cutBack();
      throw error;
    }
    try {
      await this.#file.sync();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#byteLength += byteLengthOf(frames);
  }

  async #rewriteNow(frames: Uint8Array[]): Promise<void> {
    await this.#takeOver(await writeReplacement(this.#path, frames, this.#options.openFile));
  }

  /** Nothing is appended while this runs: the replacement gets what it has not got yet, and is the journal. */
  async #exchangeNow({ by, copiedTo }: NonNullable<Waiting['replacement']>): Promise<void> {
    await by.copyFromJournal(copiedTo, this.#byteLength);
    await by.flush();
    await this.#takeOver(by);
  }

  async #takeOver(replacement: JournalReplacement): Promise<void> {
    const before = this.#file;
    this.#file = replacement.file;
    this.#byteLength = replacement.byteLength;
    this.#generation += 1;
    await before.close();
    try {
      await replacement.putInPlace();
    } catch (error) {
      throw this.#fail(error);
    }
    // A whole new file makes good what a failed flush had left unknown.
    if (this.#refusal?.code === 'UNAVAILABLE') this.#refusal = null;
  }

  /** After a failed write: removes the part of it that may stand in the file. */
  async #cutBack(): Promise<void> {
    try {
      await this.#file.truncate(this.#byteLength);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** After a failed flush the kernel may have dropped the pages and would report success next time: no append any more. */
  #fail(cause: unknown): FieldlineError {
    const sentence = `${this.#path} takes no more records, since a flush failed: ${messageOf(cause)}; open it again`;
    this.#refusal = new FieldlineError('UNAVAILABLE', sentence, { cause });
    return this.#refusal;
  }
}

function byteLengthOf(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, frame) => sum + frame.length, 0);
}

/** A new file with this content under a temporary name, flushed. */
async function writeReplacement(
  path: string,
  frames: Uint8Array[],
  openFile: OpenDiskFile,
): Promise<JournalReplacement> {
  const replacement = await JournalReplacement.start(path, 'rewrite', openFile);
  try {
    await replacement.add(frames);
    await replacement.flush();
    return replacement;
  } catch (error) {
    await replacement.discard();
    throw error;
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw diskError('reading', path, error);
  }
}

/** Copies the file to the next free `.damaged` name. */
async function keepAside(path: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const aside = `${path}.${n}.damaged`;
    try {
      await copyFile(path, aside, fsConstants.COPYFILE_EXCL);
      return aside;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw diskError('keeping a copy of', path, error);
    }
  }
}
