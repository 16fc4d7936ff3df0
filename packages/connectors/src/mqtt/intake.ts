/**
 * From messages to the log: what comes in while an append is under way goes into the next one; then all of it is acknowledged
 * at once. Promises: nothing is acknowledged before the log has made it durable; a failing append is tried again until it
 * succeeds or the bridge stops, and the messages stay with the external broker meanwhile.
 */
import { Backoff, type Logger, messageOf, sleep } from '@fieldline/kit';
import { type Micros, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { BridgeRoute } from './bridge-options.ts';

/** Whoever waits for the acknowledgement of a message. */
export interface Acknowledging {
  acknowledge(packetId: number, reasonCode: number): void;
  /** All acknowledgements of this batch have been given. */
  flush(): void;
}

interface Owed {
  readonly to: Acknowledging;
  readonly packetId: number;
  readonly reasonCode: number;
}

export interface IntakeOptions {
  readonly pendingBytesMax: number;
  appendToLog(batch: RawBatch): Promise<unknown>;
  /** A batch is durable; `bytes` are those of its payloads. */
  durable(records: number, bytes: number): void;
  /** There is room again after the intake was full. */
  hasRoom(): void;
  readonly logger: Logger;
}

/** What a message counts beside its payload. */
const ENTRY_BYTES = 64;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #builder = new RawBatchBuilder();
  readonly #stopped = new AbortController();
  #owed: Owed[] = [];
  #gatheredBytes = 0;
  #underWayBytes = 0;
  #running: Promise<void> | null = null;
  #problem: string | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get pendingBytes(): number {
    return this.#gatheredBytes + this.#underWayBytes;
  }

  get isFull(): boolean {
    return this.pendingBytes >= this.#options.pendingBytesMax;
  }

  /** Why the log does not take anything at the moment; null where it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Takes a message; `packetId` 0 (QoS 0): no acknowledgement is owed. The payload is copied. */
  take(route: BridgeRoute, receivedTime: Micros, payload: Uint8Array, from: Acknowledging, packetId: number): void {
    this.#builder.add(route.origin, receivedTime, payload);
    this.#gatheredBytes += payload.length + ENTRY_BYTES;
    if (packetId > 0) this.#owed.push({ to: from, packetId, reasonCode: route.reasonCode });
    this.#running ??= this.#run();
  }

  /** Resolves when all that was taken is durable and acknowledged, or at once after giveUp(). */
  async drained(): Promise<void> {
    await this.#running;
  }

  /** Tries no failing append again; what is left is not acknowledged. */
  giveUp(): void {
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    // What came with the same read goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#builder.count > 0 && !this.#stopped.signal.aborted) {
      const batch = this.#builder.take();
      const owed = this.#owed;
      this.#owed = [];
      this.#underWayBytes = this.#gatheredBytes;
      this.#gatheredBytes = 0;
      if (await this.#append(batch)) {
        settle(owed);
        this.#options.durable(batch.count, batch.bytes.length);
      }
      this.#underWayBytes = 0;
      if (!this.isFull) this.#options.hasRoom();
    }
    this.#running = null;
  }

  async #append(batch: RawBatch): Promise<boolean> {
    const backoff = new Backoff({ initialMs: 50, maximumMs: 2_000 });
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#options.appendToLog(batch);
        this.#problem = null;
        return true;
      } catch (error) {
        if (this.#problem === null) {
          this.#options.logger.error({ error: messageOf(error) }, 'the log takes nothing from the bridge; tried again');
        }
        this.#problem = `the log takes nothing: ${messageOf(error)}`;
        await sleep(backoff.nextMs(), this.#stopped.signal);
      }
    }
    return false;
  }
}

function settle(owed: readonly Owed[]): void {
  const touched = new Set<Acknowledging>();
  for (const { to, packetId, reasonCode } of owed) {
    to.acknowledge(packetId, reasonCode);
    touched.add(to);
  }
  for (const to of touched) to.flush();
}
