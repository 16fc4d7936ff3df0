/**
 * The one way from a packet to its acknowledgement. Records for the log and the acknowledgements that are owed gather in
 * a batch while the batch before it is being made durable; then all of its acknowledgements go out, per connection in
 * the order of their packets [MQTT-4.6.0-2]. What is not meant for the log goes the same way, with no record.
 *
 * Promises: nothing is acknowledged before appendToLog() and the session store have made it durable. A failing append is
 * tried again for appendRetryMs; then those who had something for the log in the batch are told (failed()) and get no
 * acknowledgement. What was not meant for the log is acknowledged all the same.
 */
import { Backoff, type Clock, isFieldlineError, type Logger, messageOf, sleep } from '@fieldline/kit';
import { type Micros, type Origin, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { ReceivedQos2, Session } from './session/session.ts';
import type { SessionStore } from './session/session-store.ts';

/** A connection as the commit sees it. */
export interface CommitTarget {
  /** For the commit alone: the last batch that touched this target. */
  commitSerial: number;
  /** One entry is durable: write its acknowledgement (packetType 0: none is owed) into the connection's buffer. */
  committed(packetType: number, packetId: number, reasonCode: number, byteLength: number): void;
  /** All entries of the batch have been told. */
  flushAcknowledgements(): void;
  /** What it waits for is lost: it ends, and what committed() tells of it from now on is not acknowledged. */
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
  /** 1: a record of the log belongs to it. */
  isRecord = new Uint8Array(4096);
  count = 0;
  byteLength = 0;
  /** QoS 2 packet ids that came in with this batch. */
  received: ReceivedQos2[] = [];
  /** Answers in this batch that must not go out where a message that came before them is lost. */
  tied: { target: CommitTarget; to: ReceivedQos2 }[] = [];

  add(
    target: CommitTarget | null,
    packetType: number,
    packetId: number,
    reasonCode: number,
    byteLength: number,
    isRecord: 0 | 1,
  ): void {
    const index = this.count;
    if (index === this.packetTypes.length) this.#grow();
    this.targets[index] = target;
    this.packetTypes[index] = packetType;
    this.packetIds[index] = packetId;
    this.reasonCodes[index] = reasonCode;
    this.byteLengths[index] = byteLength;
    this.isRecord[index] = isRecord;
    this.byteLength += byteLength;
    this.count = index + 1;
  }

  reset(): void {
    this.builder.reset();
    this.targets.length = 0;
    if (this.received.length > 0) this.received = [];
    if (this.tied.length > 0) this.tied = [];
    this.count = 0;
    this.byteLength = 0;
  }

  #grow(): void {
    const length = this.packetTypes.length * 2;
    this.packetTypes = copied(this.packetTypes, new Uint8Array(length));
    this.reasonCodes = copied(this.reasonCodes, new Uint8Array(length));
    this.packetIds = copied(this.packetIds, new Uint16Array(length));
    this.byteLengths = copied(this.byteLengths, new Uint32Array(length));
    this.isRecord = copied(this.isRecord, new Uint8Array(length));
  }
}

function copied<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

const NOBODY: ReadonlySet<CommitTarget | null> = new Set();

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
    this.#add(target, packetType, packetId, 0, byteLength, 1);
    return byteLength;
  }

  /**
   * Adds an acknowledgement alone; it goes out behind everything before it. `heldBytes`: what waits elsewhere because of
   * it (a message in the session store). Returns its bytes.
   */
  acknowledge(target: CommitTarget, packetType: number, packetId: number, reasonCode: number, heldBytes = 0): number {
    const byteLength = heldBytes + ENTRY_BYTES;
    this.#add(target, packetType, packetId, reasonCode, byteLength, 0);
    return byteLength;
  }

  /** The QoS 2 packet id came in with the entry added last: it is kept before PUBREC goes out. */
  received(session: Session, packetId: number, goesTo: ReceivedQos2['goesTo']): void {
    const received: ReceivedQos2 = { session, packetId, goesTo, isLost: false };
    session.receivedQos2.set(packetId, received);
    this.#gathering.received.push(received);
  }

  /** The entry of this target added last speaks of a message that is on its way: where that is lost, the target fails with it. */
  tie(target: CommitTarget, to: ReceivedQos2): void {
    this.#gathering.tied.push({ target, to });
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
    isRecord: 0 | 1,
  ): void {
    this.#gathering.add(target, packetType, packetId, reasonCode, byteLength, isRecord);
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
      const records = batch.builder.count;
      const logFailure =
        records === 0
          ? null
          : await this.#tried(startedMs, records, () => this.#options.appendToLog(batch.builder.view()));
      if (batch.received.length > 0) this.#noteReceived(batch, logFailure === null);
      const storeFailure = this.#options.store.isPending
        ? await this.#tried(startedMs, records, () => this.#options.store.durable())
        : null;
      this.#pendingBytes -= batch.byteLength;
      this.#tell(batch, logFailure, storeFailure);
      batch.reset();
      this.#spare = batch;
      if (logFailure === null && storeFailure === null)
        this.#options.onCommitted(records, this.#options.clock.monotonicMs() - startedMs);
      else this.#options.onFailed(records);
    }
  }

  /** Null when it has worked, else the error that stayed until appendRetryMs after `startedMs`. */
  async #tried(startedMs: number, recordCount: number, work: () => Promise<unknown>): Promise<Error | null> {
    const { clock, logger, appendRetryMs } = this.#options;
    let backoff: Backoff | null = null;
    for (;;) {
      try {
        await work();
        return null;
      } catch (error) {
        if (this.#problem === null)
          logger.error(
            { error: messageOf(error), recordCount },
            'append failed; nothing is acknowledged, trying again',
          );
        this.#problem = messageOf(error);
        if (this.#stopped.signal.aborted || clock.monotonicMs() - startedMs >= appendRetryMs) {
          return error instanceof Error ? error : new Error(messageOf(error));
        }
        backoff ??= new Backoff({ initialMs: 50, maximumMs: 2_000 });
        await sleep(backoff.nextMs(), this.#stopped.signal);
      }
    }
  }

  /** What QoS 2 messages are from now on: taken (and noted for sessions that stay), half taken, or lost. */
  #noteReceived(batch: Batch, isLogged: boolean): void {
    const bySession = new Map<Session, number[]>();
    for (const received of batch.received) {
      const { session, packetId, goesTo } = received;
      const isTaken = isLogged || goesTo === 'clients';
      received.isLost = !isTaken;
      // Released meanwhile, or its session has ended: then another message may have this id.
      if (session.receivedQos2.get(packetId) !== received) continue;
      if (isTaken) session.receivedQos2.set(packetId, 'taken');
      else if (goesTo === 'both') session.receivedQos2.set(packetId, 'routed');
      else session.receivedQos2.delete(packetId);
      if (!isTaken || !session.isPersistent) continue;
      const packetIds = bySession.get(session);
      if (packetIds === undefined) bySession.set(session, [packetId]);
      else packetIds.push(packetId);
    }
    for (const [session, packetIds] of bySession)
      this.#options.store.note({ kind: 'received', key: session.key, packetIds });
  }

  #tell(batch: Batch, logFailure: Error | null, storeFailure: Error | null): void {
    const failure = logFailure ?? storeFailure;
    if (failure === null) {
      if (this.#problem !== null) this.#options.logger.info({}, 'the log takes messages again');
      this.#problem = null;
      this.#tellCommitted(batch, NOBODY);
      return;
    }
    this.#options.logger.error(
      { error: failure.message, recordCount: batch.builder.count },
      'append given up; its senders are disconnected without an acknowledgement',
    );
    const failing = storeFailure === null ? this.#thoseWhoLost(batch) : new Set(batch.targets);
    this.#tellCommitted(batch, failing);
    const isFull = isFieldlineError(failure, 'DISK_FULL') || isFieldlineError(failure, 'OVERLOADED');
    // The error names files of the server: that is for its log, not for clients.
    const why = isFull ? 'the server has no room for it at the moment' : "the server's log has the reason";
    for (const target of failing) target?.failed(isFull ? 0x97 : 0x80, `the message could not be stored: ${why}`);
  }

  /** Those with a record in the batch that the log did not take, and those who came back and sent such a message again. */
  #thoseWhoLost(batch: Batch): Set<CommitTarget | null> {
    const failing = new Set<CommitTarget | null>();
    for (let index = 0; index < batch.count; index++) {
      if (batch.isRecord[index] === 1) failing.add(batch.targets[index]!);
    }
    for (const { target, to } of [...batch.tied, ...this.#gathering.tied]) if (to.isLost) failing.add(target);
    return failing;
  }

  /** Tells every entry; nothing is acknowledged to those who fail. */
  #tellCommitted(batch: Batch, failing: ReadonlySet<CommitTarget | null>): void {
    const isFailing = failing.size > 0;
    const touched = this.#touch(batch, (target, index) =>
      target.committed(
        isFailing && failing.has(target) ? 0 : batch.packetTypes[index]!,
        batch.packetIds[index]!,
        batch.reasonCodes[index]!,
        batch.byteLengths[index]!,
      ),
    );
    for (const target of touched) if (!isFailing || !failing.has(target)) target.flushAcknowledgements();
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
