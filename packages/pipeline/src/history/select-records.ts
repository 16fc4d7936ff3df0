/** Chooses records by received time, and out of a batch by organisation and device. Where all are wanted nothing is copied. */
import {
  type DirectoryCache,
  type LoggedBatch,
  type Origin,
  originOf,
  payloadOf,
  RawBatchBuilder,
} from '@fieldline/model';
import type { NumberedBatch } from '../work.ts';
import type { HistorySelection } from './history.ts';

export class RecordSelector {
  readonly #selection: HistorySelection;
  readonly #directory: DirectoryCache;
  readonly #deviceIds: ReadonlySet<string> | null;
  #known = new WeakMap<Origin, boolean>();
  readonly #builder = new RawBatchBuilder();

  constructor(selection: HistorySelection, directory: DirectoryCache) {
    this.#selection = selection;
    this.#directory = directory;
    this.#deviceIds = selection.deviceIds === null ? null : new Set(selection.deviceIds);
  }

  /** Whether a record was received in the range of time. */
  isInTime(batch: LoggedBatch, index: number): boolean {
    const received = batch.receivedTime[index]!;
    return received >= this.#selection.from && received < this.#selection.to;
  }

  /** Those of the records [start, end) that are of the wanted devices. The result is valid until the next call. */
  select(batch: NumberedBatch, start: number, end: number): NumberedBatch {
    const wanted: number[] = [];
    for (let index = start; index < end; index++) if (this.#isWanted(originOf(batch, index))) wanted.push(index);
    if (wanted.length === batch.count) return batch;
    this.#builder.reset();
    for (const index of wanted) {
      this.#builder.add(originOf(batch, index), batch.receivedTime[index]!, payloadOf(batch, index));
    }
    const { topic, partition, firstPosition, seconds } = batch;
    return {
      ...this.#builder.view(),
      ...{ topic, partition, firstPosition },
      positions: Float64Array.from(wanted, (index) => firstPosition + index),
      seconds: Float64Array.from(wanted, (index) => seconds[index]!),
    };
  }

  #isWanted(origin: Origin): boolean {
    const known = this.#known.get(origin);
    if (known !== undefined) return known;
    const wanted = origin.organizationId === this.#selection.organizationId && this.#isDevice(origin);
    this.#known.set(origin, wanted);
    return wanted;
  }

  #isDevice({ organizationId, deviceId }: Origin): boolean {
    if (this.#deviceIds === null) return true;
    const device = this.#directory.findDevice(organizationId, deviceId);
    return device !== undefined && this.#deviceIds.has(device.id);
  }
}
