/**
 * Positions of consumer groups, and the ends that the log is known to have reached, in a journal. A reader in another
 * thread reads the file; the writer keeps it and rewrites it when most of it is outdated.
 */
import { isFieldlineError, type Journal, type OpenDiskFile, openJournal, readJournal } from '@fieldline/kit';
import type { Position } from '@fieldline/model';

/** Below this size the journal is never rewritten. */
const REWRITE_BYTES_MIN = 1024 * 1024;

/** In the place of a group: where the log begins. No group has a name with a space in front. */
const BEGIN = ' begin';
/** With a position behind it, in the place of a group: positions from there on were left out on purpose. */
const GAP = ' gap ';

/** Key → position. Keys are JSON: [topic, partition, group], or [topic, partition] for the log's own end. */
type Positions = Map<string, Position>;

export class GroupPositions {
  readonly #journal: Journal;
  readonly #positions: Positions;
  #rewriting = false;

  private constructor(journal: Journal, positions: Positions) {
    this.#journal = journal;
    this.#positions = positions;
  }

  static async open(
    path: string,
    openFile?: OpenDiskFile,
  ): Promise<{ positions: GroupPositions; damage: readonly string[] }> {
    const { journal, records, damage } = await openJournal(path, openFile === undefined ? {} : { openFile });
    return { positions: new GroupPositions(journal, latest(records)), damage };
  }

  /** What another thread has stored. */
  static async lookUp(path: string, group: string, topic: string, partition: number): Promise<Position | null> {
    const { records } = await readJournal(path);
    return latest(records).get(keyOf(topic, partition, group)) ?? null;
  }

  get(group: string, topic: string, partition: number): Position | null {
    return this.#positions.get(keyOf(topic, partition, group)) ?? null;
  }

  /** Durable when it resolves. */
  async set(group: string, topic: string, partition: number, position: Position): Promise<void> {
    await this.#put(keyOf(topic, partition, group), position);
  }

  /** The log has certainly reached this end. */
  async setEnd(topic: string, partition: number, end: Position): Promise<void> {
    await this.#put(keyOf(topic, partition), end);
  }

  /** Everything below was deleted by retention, and nothing else was; null where that was never noted. */
  begin(topic: string, partition: number): Position | null {
    return this.#positions.get(keyOf(topic, partition, BEGIN)) ?? null;
  }

  /** To be noted before retention deletes what lies below. */
  async setBegin(topic: string, partition: number, begin: Position): Promise<void> {
    await this.#put(keyOf(topic, partition, BEGIN), begin);
  }

  /** Positions in between were never given: whoever looks for them is not to miss them. */
  async setGap(topic: string, partition: number, from: Position, to: Position): Promise<void> {
    await this.#put(keyOf(topic, partition, `${GAP}${from}`), to);
  }

  /** The highest position that anybody is known to have seen in this partition. */
  knownEnd(topic: string, partition: number): Position {
    return knownEnd(this.#positions, topic, partition);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  async #put(key: string, position: Position): Promise<void> {
    try {
      await this.#journal.append(encode(key, position));
    } catch (error) {
      if (!isFieldlineError(error, 'UNAVAILABLE')) throw error;
      // After a failed flush the journal takes appends no more, but a whole new file.
      await this.#rewrite(new Map(this.#positions).set(key, position));
    }
    this.#positions.set(key, position);
    if (this.#rewriting || this.#journal.byteLength < REWRITE_BYTES_MIN) return;
    this.#rewriting = true;
    try {
      await this.#rewrite(this.#positions);
    } finally {
      this.#rewriting = false;
    }
  }

  async #rewrite(positions: Positions): Promise<void> {
    await this.#journal.rewrite(Array.from(positions, ([key, position]) => encode(key, position)));
  }
}

/** What the file holds, looked at while nobody has it open; it stays as it is. */
export async function inspectGroupPositions(path: string): Promise<{
  readonly count: number;
  readonly damage: readonly string[];
  readonly tornBytes: number;
  knownEnd(topic: string, partition: number): Position;
  begin(topic: string, partition: number): Position | null;
  /** Where positions that were left out from there on end; null where none were. */
  gapEnd(topic: string, partition: number, from: Position): Position | null;
}> {
  const { records, damage, tornBytes } = await readJournal(path);
  const positions = latest(records);
  return {
    count: positions.size,
    damage,
    tornBytes,
    knownEnd: (topic, partition) => knownEnd(positions, topic, partition),
    begin: (topic, partition) => positions.get(keyOf(topic, partition, BEGIN)) ?? null,
    gapEnd: (topic, partition, from) => positions.get(keyOf(topic, partition, `${GAP}${from}`)) ?? null,
  };
}

function knownEnd(positions: Positions, topic: string, partition: number): Position {
  const prefix = keyOf(topic, partition).slice(0, -1);
  let end = 0;
  for (const [key, position] of positions) {
    if (key === `${prefix}]` || key.startsWith(`${prefix},`)) end = Math.max(end, position);
  }
  return end;
}

function keyOf(topic: string, partition: number, group?: string): string {
  return JSON.stringify(group === undefined ? [topic, partition] : [topic, partition, group]);
}

function encode(key: string, position: Position): Uint8Array {
  return Buffer.from(JSON.stringify([key, position]));
}

function latest(records: readonly Uint8Array[]): Positions {
  const positions: Positions = new Map();
  for (const record of records) {
    const [key, position] = JSON.parse(Buffer.from(record).toString()) as [string, Position];
    positions.set(key, position);
  }
  return positions;
}
