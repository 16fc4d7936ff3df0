/**
 * The one way from a packet to its acknowledgement. Records for the log and the acknowledgements that are owed gather in
 * a batch while the batch before it is being made durable; then all of its acknowledgements go out, per connection in
 * the order of their packets [MQTT-4.6.0-2]. What is not meant for the log goes the same way, with no record.
 *
 * Promises: nothing is acknowledged before appendToLog() and the session store have made it durable. A failing append is
 * tried again for appendRetryMs; then nothing of the batch is acknowledged and its connections are told (failed()).
 */
import { Backoff, type Clock, isFieldlineError, type Logger, messageOf, sleep } from '@fieldline/kit';
import { type Micros, type Origin, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { Session } from './session/session.ts';
import type { SessionStore } from './session/session-store.ts';

/** A connection as the commit sees it. */
export interface CommitTarget {
  /** For the commit alone: the last batch that touched this target. */
  commitSerial: number;
  /** One entry is durable: write its acknowledgement (packetType 0: none is owed) into the connection's buffer. */
  committed(packetType: number, packetId: number, reasonCode: number, byteLength: number): void;
  /** All entries of the batch have been told. */
  flushAcknowledgements(): void;
  /** The batch is lost for this connection: nothing will be acknowledged. */
  failed(reasonCode: number, reason: string): void;
}

export interface GroupCommitOptions {
  readonly appendToLog: (batch: RawBatch) => Promise<unknown>;
  readonly store: SessionStore;
  readonly pendingBytesMax: number;
  readonly appendRetryMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after each batch with what it held, for metrics and for those that wait for room. */
  readonly onCommitted: (records: number, durationMs: number) => void;
  readonly onFailed: (records: number) => void;
}

/** Entries in columns; entry i owes targets[i] an acknowledgement of packetTypes[i]. */
class Batch {
  readonly builder = new RawBatchBuilder(4096, 1024 * 1024);
  targets: (CommitTarget | null)[] = [];
  packetTypes = new Uint8Array(4096);
  reasonCodes = new Uint8Array(4096);
  packetIds = new Uint16Array(4096);
  byteLengths = new Uint32Array(4096);
  count = 0;
  byteLength = 0;
  /** QoS 2 packet ids that came in with this batch: session, packet id, … */
  received: { session: Session; packetId: number }[] = [];

  add(target: CommitTarget | null, packetType: number, packetId: number, reasonCode: number, byteLength: number): void {
    const index = this.count;
    if (index === this.packetTypes.length) this.#grow();
    this.targets[index] = target;
    this.packetTypes[index] = packetType;
    this.packetIds[index] = packetId;
    this.reasonCodes[index] = reasonCode;
    this.byteLengths[index] = byteLength;
    this.byteLength += byteLength;
    this.count = index + 1;
  }

  reset(): void {
    this.builder.reset();
    this.targets.length = 0;
    this.received = [];
    this.count = 0;
    this.byteLength = 0;
  }

  #grow(): void {
    const length = this.packetTypes.length * 2;
    this.packetTypes = copied(this.packetTypes, new Uint8Array(length));
    this.reasonCodes = copied(this.reasonCodes, new Uint8Array(length));
    this.packetIds = copied(this.packetIds, new Uint16Array(length));
    this.byteLengths = copied(this.byteLengths, new Uint32Array(length));
  }
}

function copied<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** What an entry without payload counts against the budget. */
const ENTRY_BYTES = 64;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #gathering = new Batch();
  #spare = new Batch();
  #pendingBytes = 0;
  #serial = 0;
  #running: Promise<void> | null = null;
  #isScheduled = false;
  #problem: string | null = null;
  readonly #stopped = new AbortController();
  readonly #gaveUp = Promise.withResolvers<void>();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Bytes of everything that is not acknowledged yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isFull(): boolean {
    return this.#pendingBytes >= this.#options.pendingBytesMax;
  }

  /** Why the log does not take anything at the moment; null where it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Adds a record for the log, and the acknowledgement that is owed for it (packetType 0: none). Returns its bytes. */
  record(
    target: CommitTarget | null,
    origin: Origin,
    receivedTime: Micros,
    payload: Uint8Array,
    packetType: number,
    packetId: number,
  ): number {
    const byteLength = payload.length + ENTRY_BYTES;
    this.#gathering.builder.add(origin, receivedTime, payload);
    this.#add(target, packetType, packetId, 0, byteLength);
    return byteLength;
  }

  /**
   * Adds an acknowledgement alone; it goes out behind everything before it. `heldBytes`: what waits elsewhere because of
   * it (a message in the session store). Returns its bytes.
   */
  acknowledge(target: CommitTarget, packetType: number, packetId: number, reasonCode: number, heldBytes = 0): number {
    const byteLength = heldBytes + ENTRY_BYTES;
    this.#add(target, packetType, packetId, reasonCode, byteLength);
    return byteLength;
  }

  /** The QoS 2 packet id came in with the entry added last: it is kept before PUBREC goes out. */
  received(session: Session, packetId: number): void {
    session.receivedQos2.set(packetId, 'pending');
    this.#gathering.received.push({ session, packetId });
  }

  /** Waits until everything added so far is durable or lost, or until giveUp(). */
  async drained(): Promise<void> {
    while (!this.#stopped.signal.aborted && (this.#gathering.count > 0 || this.#running !== null)) {
      this.#start();
      await Promise.race([this.#running, this.#gaveUp.promise]);
    }
  }

  /** Ends all waiting: what is not durable by now stays without an acknowledgement, so its clients send it again. */
  giveUp(): void {
    this.#stopped.abort();
    this.#gaveUp.resolve();
  }

  #add(
    target: CommitTarget | null,
    packetType: number,
    packetId: number,
    reasonCode: number,
    byteLength: number,
  ): void {
    this.#gathering.add(target, packetType, packetId, reasonCode, byteLength);
    this.#pendingBytes += byteLength;
    if (this.#isScheduled || this.#running !== null) return;
    this.#isScheduled = true;
    // After this round of socket events, so that everything that has arrived goes together.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  async #run(): Promise<void> {
    while (this.#gathering.count > 0) {
      const batch = this.#gathering;
      this.#gathering = this.#spare;
      const startedMs = this.#options.clock.monotonicMs();
      const failure = await this.#makeDurable(batch);
      this.#pendingBytes -= batch.byteLength;
      const records = batch.builder.count;
      if (failure === null) this.#tellCommitted(batch);
      else this.#tellFailed(batch, failure);
      batch.reset();
      this.#spare = batch;
      if (failure === null) this.#options.onCommitted(records, this.#options.clock.monotonicMs() - startedMs);
      else this.#options.onFailed(records);
    }
  }

  /** Null when it is durable, else the error that stayed. */
  async #makeDurable(batch: Batch): Promise<Error | null> {
    const { clock, logger, appendRetryMs } = this.#options;
    const backoff = new Backoff({ initialMs: 50, maximumMs: 2_000 });
    const startedMs = clock.monotonicMs();
    let isAppended = batch.builder.count === 0;
    for (;;) {
      try {
        if (!isAppended) await this.#options.appendToLog(batch.builder.view());
        isAppended = true;
        this.#noteReceived(batch);
        if (this.#options.store.isPending) await this.#options.store.durable();
        if (this.#problem !== null) logger.info({}, 'the log takes messages again');
        this.#problem = null;
        return null;
      } catch (error) {
        if (this.#problem === null)
          logger.error(
            { error: messageOf(error), recordCount: batch.builder.count },
            'append failed; nothing is acknowledged, trying again',
          );
        this.#problem = messageOf(error);
        if (this.#stopped.signal.aborted || clock.monotonicMs() - startedMs >= appendRetryMs) {
          return error instanceof Error ? error : new Error(messageOf(error));
        }
        await sleep(backoff.nextMs(), this.#stopped.signal);
      }
    }
  }

  #noteReceived(batch: Batch): void {
    if (batch.received.length === 0) return;
    const bySession = new Map<Session, number[]>();
    for (const { session, packetId } of batch.received) {
      session.receivedQos2.set(packetId, 'recorded');
      if (!session.isPersistent) continue;
      const packetIds = bySession.get(session);
      if (packetIds === undefined) bySession.set(session, [packetId]);
      else packetIds.push(packetId);
    }
    batch.received = [];
    for (const [session, packetIds] of bySession)
      this.#options.store.note({ kind: 'received', key: session.key, packetIds });
  }

  #tellCommitted(batch: Batch): void {
    const touched = this.#touch(batch, (target, index) =>
      target.committed(
        batch.packetTypes[index]!,
        batch.packetIds[index]!,
        batch.reasonCodes[index]!,
        batch.byteLengths[index]!,
      ),
    );
    for (const target of touched) target.flushAcknowledgements();
  }

  #tellFailed(batch: Batch, error: Error): void {
    for (const { session, packetId } of batch.received) session.receivedQos2.delete(packetId);
    const isFull = isFieldlineError(error, 'DISK_FULL') || isFieldlineError(error, 'OVERLOADED');
    const reasonCode = isFull ? 0x97 : 0x80;
    this.#options.logger.error(
      { error: error.message, recordCount: batch.builder.count },
      'append given up; its senders are disconnected without an acknowledgement',
    );
    const touched = this.#touch(batch, (target, index) => target.committed(0, 0, 0, batch.byteLengths[index]!));
    // The error names files of the server: that is for its log, not for clients.
    const why = isFull ? 'the server has no room for it at the moment' : "the server's log has the reason";
    for (const target of touched) target.failed(reasonCode, `the message could not be stored: ${why}`);
  }

  #touch(batch: Batch, visit: (target: CommitTarget, index: number) => void): CommitTarget[] {
    this.#serial += 1;
    const serial = this.#serial;
    const touched: CommitTarget[] = [];
    for (let index = 0; index < batch.count; index++) {
      const target = batch.targets[index]!;
      if (target === null) continue;
      if (target.commitSerial !== serial) {
        target.commitSerial = serial;
        touched.push(target);
      }
      visit(target, index);
    }
    return touched;
  }
}
