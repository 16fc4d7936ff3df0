/**
 * The session store on a kit journal. Operations gather while a flush is under way and go to disk together. When the
 * file has grown far beyond what is alive, it is replaced by a snapshot.
 *
 *   journal record: format version (1) | operation, operation, …
 *   operation: JSON length (4) | JSON | per byte array that the JSON refers to: length (4) | bytes
 */
import { dirname } from 'node:path';
import {
  FieldlineError,
  isFieldlineError,
  type Journal,
  type JournalOpening,
  type Logger,
  makeDirectorySync,
  type OpenDiskFile,
  openJournal,
} from '@fieldline/kit';
import type { SessionStore, StoredOperation } from './session-store.ts';

const FORMAT_VERSION = 1;
const RECORD_BYTES_MAX = 4 * 1024 * 1024;
/** The journal is not rewritten below this size; above, when it is four times what the last snapshot was. */
const REWRITE_BYTES_MIN = 8 * 1024 * 1024;

export class JournalSessionStore implements SessionStore {
  readonly #path: string;
  readonly #openFile: OpenDiskFile | undefined;
  readonly #logger: Logger;
  #journal: Journal | null = null;
  #snapshot: () => Iterable<StoredOperation> = () => [];
  #rewriteAtBytes = REWRITE_BYTES_MIN;
  #noted: Buffer[] = [];
  #notedBytes = 0;
  /** Operations noted since the opening, and how many of them are durable. */
  #notedCount = 0;
  #durableCount = 0;
  #flushing: Promise<void> | null = null;
  #isScheduled = false;
  #mustRewrite = false;

  /** @param openFile tests make the disk fail here */
  constructor(path: string, logger: Logger, openFile?: OpenDiskFile) {
    this.#openFile = openFile;
    this.#path = path;
    this.#logger = logger;
  }

  get isPending(): boolean {
    return this.#durableCount < this.#notedCount;
  }

  async open(snapshot: () => Iterable<StoredOperation>): Promise<readonly StoredOperation[]> {
    this.#snapshot = snapshot;
    makeDirectorySync(dirname(this.#path));
    const opening: JournalOpening = await openJournal(
      this.#path,
      this.#openFile === undefined ? {} : { openFile: this.#openFile },
    );
    for (const damage of opening.damage)
      this.#logger.error({ damage }, 'the session journal was damaged; sessions may be lost');
    this.#journal = opening.journal;
    return opening.records.flatMap((record) => decodeRecord(record, this.#path));
  }

  note(operation: StoredOperation): void {
    const bytes = encodeOperation(operation);
    this.#noted.push(bytes);
    this.#notedBytes += bytes.length;
    this.#notedCount += 1;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      // Whoever needs to know calls durable(); what could not be written stays noted for the next flush.
      this.durable().catch((error: unknown) =>
        this.#logger.error({ error: String(error) }, 'the session journal cannot be written'),
      );
    });
  }

  async durable(): Promise<void> {
    const target = this.#notedCount;
    // What is under way may have begun before the last note; then one more flush is needed.
    while (this.#durableCount < target) {
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = null;
      });
      await this.#flushing;
    }
  }

  async close(): Promise<void> {
    await this.durable();
    await this.#journal?.close();
    this.#journal = null;
  }

  async #flush(): Promise<void> {
    const journal = this.#journal;
    if (journal === null) throw new FieldlineError('STOPPED', 'the session journal is closed');
    const noted = this.#noted;
    const bytes = this.#notedBytes;
    const count = this.#notedCount;
    this.#noted = [];
    this.#notedBytes = 0;
    try {
      if (this.#mustRewrite || journal.byteLength > this.#rewriteAtBytes) await this.#rewrite(journal);
      else await Promise.all(recordsOf(noted).map((record) => journal.append(record)));
      this.#durableCount = count;
    } catch (error) {
      // After a failed flush the journal takes appends no more, but a whole new file.
      if (isFieldlineError(error, 'UNAVAILABLE')) this.#mustRewrite = true;
      this.#noted = [...noted, ...this.#noted];
      this.#notedBytes += bytes;
      throw error;
    }
  }

  /** The snapshot is the state of now, and so contains what has been noted. */
  async #rewrite(journal: Journal): Promise<void> {
    const operations: Buffer[] = [];
    for (const operation of this.#snapshot()) operations.push(encodeOperation(operation));
    await journal.rewrite(recordsOf(operations));
    this.#mustRewrite = false;
    this.#rewriteAtBytes = Math.max(REWRITE_BYTES_MIN, journal.byteLength * 4);
  }
}

function recordsOf(operations: readonly Buffer[]): Buffer[] {
  const records: Buffer[] = [];
  let parts: Buffer[] = [];
  let length = 0;
  const close = (): void => {
    if (parts.length > 0) records.push(Buffer.concat([Buffer.from([FORMAT_VERSION]), ...parts]));
    parts = [];
    length = 0;
  };
  for (const operation of operations) {
    if (length + operation.length > RECORD_BYTES_MAX) close();
    parts.push(operation);
    length += operation.length;
  }
  close();
  return records;
}

/** Byte arrays become { "$bytes": index }, Infinity becomes { "$infinity": true }: JSON has neither. */
function encodeOperation(operation: StoredOperation): Buffer {
  const attachments: Uint8Array[] = [];
  const json = Buffer.from(
    JSON.stringify(operation, (_, value: unknown) => {
      if (value instanceof Uint8Array) return { $bytes: attachments.push(value) - 1 };
      return value === Number.POSITIVE_INFINITY ? { $infinity: true } : value;
    }),
  );
  const parts: Uint8Array[] = [lengthBytes(json.length), json, lengthBytes(attachments.length)];
  for (const bytes of attachments) parts.push(lengthBytes(bytes.length), bytes);
  return Buffer.concat(parts);
}

function lengthBytes(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

function decodeRecord(record: Uint8Array, path: string): StoredOperation[] {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (bytes[0] !== FORMAT_VERSION) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `${path}: format ${bytes[0]} is not known, only ${FORMAT_VERSION}; start the version that wrote it`,
    );
  }
  const operations: StoredOperation[] = [];
  let position = 1;
  const take = (): Buffer => {
    const start = position + 4;
    position = start + bytes.readUInt32BE(position);
    return bytes.subarray(start, position);
  };
  while (position < bytes.length) {
    const json = take().toString();
    const count = bytes.readUInt32BE(position);
    position += 4;
    const attachments = Array.from({ length: count }, () => new Uint8Array(take()));
    operations.push(
      JSON.parse(json, (_, value: unknown) => {
        if (typeof value !== 'object' || value === null) return value;
        if ('$bytes' in value) return attachments[value.$bytes as number];
        return '$infinity' in value ? Number.POSITIVE_INFINITY : value;
      }) as StoredOperation,
    );
  }
  return operations;
}
