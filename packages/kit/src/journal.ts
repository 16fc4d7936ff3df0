/**
 * A journal: an append-only file of checksummed records for small state that must survive a crash (broker sessions,
 * consumer positions). Opening it reads every intact record back and cuts off a torn end. append() resolves when the
 * record is on disk; appends that arrive during a flush are written together (group commit). rewrite() replaces the
 * content by a snapshot, atomically: a crash leaves either the old journal or the new one.
 */
export interface Journal {
  /** Adds a record; resolves when it is on disk. Records keep the order of the calls. */
  append(record: Uint8Array): Promise<void>;
  /** Replaces all records by these; appends made meanwhile come after them. */
  rewrite(records: Iterable<Uint8Array>): Promise<void>;
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
