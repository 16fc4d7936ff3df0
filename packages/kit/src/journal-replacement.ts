/**
 * A file that is to take a journal's place: written under a temporary name, flushed, then renamed over the journal, so that a
 * power cut leaves either the old one or the new one. It may be written at once, or bit by bit while the old one is in use.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type DiskFile, diskError, type OpenDiskFile, syncParentDirectory } from './disk-file.ts';
import { FieldlineError } from './errors.ts';
import { journalHeader } from './journal-format.ts';

/** So much is written between two flushes: nobody else's flush has to wait for hundreds of megabytes. */
const UNFLUSHED_BYTES_MAX = 8 * 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

/** What an interrupted replacement has left is of no use. */
export async function removeReplacements(path: string): Promise<void> {
  for (const kind of ['rewrite', 'replacement'] as const) await rm(temporaryPath(path, kind), { force: true });
}

export class JournalReplacement {
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly file: DiskFile;
  #byteLength = 0;
  #unflushedBytes = 0;

  private constructor(path: string, temporaryPath: string, file: DiskFile) {
    this.#path = path;
    this.#temporaryPath = temporaryPath;
    this.file = file;
  }

  /** `kind` keeps two that are under way at the same time apart. */
  static async start(
    path: string,
    kind: 'rewrite' | 'replacement',
    openFile: OpenDiskFile,
  ): Promise<JournalReplacement> {
    const temporary = temporaryPath(path, kind);
    const replacement = new JournalReplacement(path, temporary, await openFile(temporary, 'new'));
    await replacement.#orDiscard(() => replacement.add([journalHeader()]));
    return replacement;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Writes these frames behind what is there. */
  async add(frames: readonly Uint8Array[]): Promise<void> {
    await this.file.write(frames, this.#byteLength);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    this.#byteLength += bytes;
    this.#unflushedBytes += bytes;
    if (this.#unflushedBytes >= UNFLUSHED_BYTES_MAX) await this.flush();
  }

  /** Adds the bytes of the journal of now that stand between two places. */
  async copyFromJournal(from: number, to: number): Promise<void> {
    if (from === to) return;
    const journal = await open(this.#path, 'r');
    try {
      for (let at = from; at < to; ) {
        const bytes = await readAt(journal, at, Math.min(COPY_BYTES, to - at));
        await this.add([bytes]);
        at += bytes.length;
      }
    } finally {
      await journal.close();
    }
  }

  async flush(): Promise<void> {
    await this.file.sync();
    this.#unflushedBytes = 0;
  }

  /** Gives it the journal's name; what is flushed by now is what a power cut leaves. */
  async putInPlace(): Promise<void> {
    try {
      await rename(this.#temporaryPath, this.#path);
      await syncParentDirectory(this.#path);
    } catch (error) {
      throw diskError('replacing', this.#path, error);
    }
  }

  async discard(): Promise<void> {
    await this.file.close();
    await rm(this.#temporaryPath, { force: true });
  }

  async #orDiscard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.discard();
      throw error;
    }
  }
}

async function readAt(file: FileHandle, at: number, byteCount: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(byteCount), 0, byteCount, at);
  if (bytesRead === 0)
    throw new FieldlineError(
      'UNAVAILABLE',
      `a journal ends at byte ${at}, before what was written to it; check the disk`,
    );
  return buffer.subarray(0, bytesRead);
}

function temporaryPath(path: string, kind: 'rewrite' | 'replacement'): string {
  return `${path}.${kind}`;
}
