/**
 * The session store on a kit journal. Operations gather while a flush is under way and go to disk together. When the
 * file has grown far beyond what is alive, it is replaced by a snapshot, in slices: nobody waits for it. The snapshot is
 * therefore the state of no single moment; the operations noted since it was begun stand behind it in the file, and what they
 * say of a thing is said as a whole, so they make right whatever it has of them already.
 * What cannot be written does not gather without end: beyond a limit a snapshot is due, and what it will have is let go.
 *
 *   journal record: format version (1) | operation, operation, …        (operation-codec.ts)
 */
import { dirname } from 'node:path';
import {
  Backoff,
  FieldlineError,
  isFieldlineError,
  type Journal,
  type JournalOpening,
  type Logger,
  makeDirectorySync,
  messageOf,
  type OpenDiskFile,
  openJournal,
  sleep,
} from '@fieldline/kit';
import { decodeOperation, encodeOperation } from './operation-codec.ts';
import type { SessionStore, StoredOperation } from './session-store.ts';

const FORMAT_VERSION = 1;
/** A record of several operations is no longer than this; one operation may be. */
const RECORD_BYTES = 1024 * 1024;
/** The journal is not replaced below this size; above, when it is twice what the last snapshot was. */
const REPLACE_BYTES_MIN = 8 * 1024 * 1024;
/** So long the snapshot is worked on before sockets have their turn. */
const SLICE_MS = 4;
/** Operations between two looks at the clock. */
const OPERATIONS_PER_LOOK = 32;
/** What may wait for the disk as operations: while it takes them, and after it has failed. More is left to a snapshot. */
export const NOTED_BYTES_MAX = 64 * 1024 * 1024;
const RETRIED_BYTES_MAX = 8 * 1024 * 1024;
/** Between two attempts; the broker goes on within seconds of there being room. */
const RETRY_MS = { initialMs: 50, maximumMs: 1_000 };
/** The budgets of the broker bound what is noted; a journal with a limit of its own would refuse it for ever. */
const UNBOUNDED = { recordBytesMax: 2 ** 31, waitingBytesMax: Number.POSITIVE_INFINITY };

export class JournalSessionStore implements SessionStore {
  readonly #path: string;
  readonly #openFile: OpenDiskFile | undefined;
  readonly #logger: Logger;
  #journal: Journal | null = null;
  #snapshot: () => Iterable<StoredOperation | null> = () => [];
  #replaceAtBytes = REPLACE_BYTES_MIN;
  #noted: Buffer[] = [];
  #notedBytes = 0;
  /** Operations noted since the opening, and how many of them are durable. */
  #notedCount = 0;
  #durableCount = 0;
  #flushing: Promise<void> | null = null;
  #replacing: Promise<void> | null = null;
  #isScheduled = false;
  /** Only a whole new file makes things durable: a flush has failed, or operations were let go. */
  #isSnapshotDue = false;
  readonly #backoff = new Backoff(RETRY_MS);
  /** 0 = the last attempt went well. */
  #retryDelayMs = 0;

  /** @param openFile tests make the disk fail here */
  constructor(path: string, logger: Logger, openFile?: OpenDiskFile) {
    this.#openFile = openFile;
    this.#path = path;
    this.#logger = logger;
  }

  get isPending(): boolean {
    return this.#durableCount < this.#notedCount;
  }

  async open(snapshot: () => Iterable<StoredOperation | null>): Promise<Iterable<StoredOperation>> {
    this.#snapshot = snapshot;
    makeDirectorySync(dirname(this.#path));
    const opening: JournalOpening = await openJournal(this.#path, {
      ...UNBOUNDED,
      ...(this.#openFile !== undefined && { openFile: this.#openFile }),
    });
    for (const damage of opening.damage)
      this.#logger.error({ damage }, 'the session journal was damaged; sessions may be lost');
    this.#journal = opening.journal;
    return decodeRecords(opening.records, this.#path);
  }

  /** Bytes of operations that wait for the disk in memory. */
  get waitingBytes(): number {
    return this.#notedBytes;
  }

  note(operation: StoredOperation): void {
    this.#notedCount += 1;
    // A snapshot that is not begun will have it.
    if (!this.#isSnapshotDue) this.#keep(encodeOperation(operation));
    this.#schedule();
  }

  /** Whoever needs to know calls durable(); what could not be written is tried again. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.durable().catch(() => {
        if (this.#journal !== null) this.#schedule();
      });
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
    const journal = this.#journal;
    try {
      await this.durable();
    } finally {
      this.#journal = null;
      // A snapshot that is not finished is given up: the file is whole without it.
      await journal?.close();
      await this.#replacing;
    }
  }

  async #flush(): Promise<void> {
    if (this.#retryDelayMs > 0) await sleep(this.#retryDelayMs);
    const journal = this.#journal;
    if (journal === null) throw new FieldlineError('STOPPED', 'the session journal is closed');
    const noted = this.#noted;
    const count = this.#notedCount;
    const isSnapshot = this.#isSnapshotDue;
    this.#letGo();
    this.#isSnapshotDue = false;
    try {
      if (isSnapshot) await this.#replaceNow(journal);
      else await Promise.all(recordsOf(noted).map((record) => journal.append(record)));
    } catch (error) {
      // After a failed flush the journal takes appends no more, but a whole new file.
      if (isSnapshot || isFieldlineError(error, 'UNAVAILABLE')) this.#needSnapshot();
      this.#failed(error, noted);
      throw error;
    }
    this.#durableCount = count;
    if (this.#retryDelayMs > 0) this.#logger.info({}, 'the session journal is written again');
    this.#retryDelayMs = 0;
    this.#backoff.reset();
    if (journal.byteLength > this.#replaceAtBytes) this.#replaceBeside(journal);
  }

  #failed(error: unknown, noted: readonly Buffer[]): void {
    if (this.#retryDelayMs === 0)
      this.#logger.error({ error: messageOf(error) }, 'the session journal cannot be written; trying again');
    this.#retryDelayMs = this.#backoff.nextMs();
    const since = this.#noted;
    this.#letGo();
    for (const operation of [...noted, ...since]) {
      if (this.#isSnapshotDue) return;
      this.#keep(operation);
    }
  }

  #keep(operation: Buffer): void {
    this.#noted.push(operation);
    this.#notedBytes += operation.length;
    if (this.#notedBytes > (this.#retryDelayMs > 0 ? RETRIED_BYTES_MAX : NOTED_BYTES_MAX)) this.#needSnapshot();
  }

  #needSnapshot(): void {
    this.#isSnapshotDue = true;
    this.#letGo();
  }

  #letGo(): void {
    this.#noted = [];
    this.#notedBytes = 0;
  }

  /** The snapshot is begun now, and so contains what has been noted. */
  async #replaceNow(journal: Journal): Promise<void> {
    await this.#replacing;
    await journal.replace(this.#snapshotRecords());
    this.#replaced(journal);
  }

  /** Flushes go on meanwhile. Where it cannot be done the journal stays as it is, and grows on for a while. */
  #replaceBeside(journal: Journal): void {
    this.#replacing ??= journal
      .replace(this.#snapshotRecords())
      .then(
        () => this.#replaced(journal),
        (error: unknown) => {
          if (this.#journal === null) return;
          this.#replaceAtBytes = journal.byteLength + REPLACE_BYTES_MIN;
          this.#logger.warn({ error: messageOf(error) }, 'the session journal could not be made smaller; tried later');
        },
      )
      .finally(() => {
        this.#replacing = null;
      });
  }

  #replaced(journal: Journal): void {
    this.#replaceAtBytes = Math.max(REPLACE_BYTES_MIN, journal.byteLength * 2);
  }

  async *#snapshotRecords(): AsyncGenerator<Uint8Array> {
    const gathered = new RecordParts();
    let sliceEndsMs = performance.now() + SLICE_MS;
    let count = 0;
    for (const operation of this.#snapshot()) {
      if (operation !== null) {
        const record = gathered.add(encodeOperation(operation));
        if (record !== null) yield record;
      }
      count += 1;
      if (count % OPERATIONS_PER_LOOK === 0 && performance.now() >= sliceEndsMs) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEndsMs = performance.now() + SLICE_MS;
      }
    }
    const last = gathered.take();
    if (last !== null) yield last;
  }
}

/** Operations of one record. */
class RecordParts {
  #parts: Buffer[] = [];
  #byteLength = 0;

  /** Adds an operation; gives the record before it where that is full. */
  add(operation: Buffer): Buffer | null {
    const full = this.#byteLength > 0 && this.#byteLength + operation.length > RECORD_BYTES ? this.take() : null;
    this.#parts.push(operation);
    this.#byteLength += operation.length;
    return full;
  }

  /** The record of what was added; null where there is nothing. */
  take(): Buffer | null {
    if (this.#parts.length === 0) return null;
    const record = Buffer.concat([Buffer.from([FORMAT_VERSION]), ...this.#parts]);
    this.#parts = [];
    this.#byteLength = 0;
    return record;
  }
}

function recordsOf(operations: readonly Buffer[]): Buffer[] {
  const gathered = new RecordParts();
  const records: (Buffer | null)[] = operations.map((operation) => gathered.add(operation));
  return [...records, gathered.take()].filter((record) => record !== null);
}

/** One after the other: all of them as objects would be several times as much. */
function* decodeRecords(records: readonly Uint8Array[], path: string): Generator<StoredOperation> {
  for (const record of records) yield* decodeRecord(record, path);
}

function* decodeRecord(record: Uint8Array, path: string): Generator<StoredOperation> {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (bytes[0] !== FORMAT_VERSION) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `${path}: format ${bytes[0]} is not known, only ${FORMAT_VERSION}; start the version that wrote it`,
    );
  }
  for (let position = 1; position < bytes.length; ) {
    const { operation, end } = decodeOperation(bytes, position);
    yield operation;
    position = end;
  }
}
