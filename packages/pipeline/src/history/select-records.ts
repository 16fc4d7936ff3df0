/** Chooses records out of a batch by organisation, device and received time. Where all are wanted nothing is copied. */
import {
  type DirectoryCache,
  type LoggedBatch,
  type Origin,
  originOf,
  payloadOf,
  RawBatchBuilder,
} from '@fieldline/model';
import type { SelectedBatch } from '../work.ts';
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

  /** Those of the records [start, end) that are selected. The result is valid until the next call. */
  select(batch: LoggedBatch, start: number, end: number): SelectedBatch {
    const positions: number[] = [];
    for (let index = start; index < end; index++) if (this.#isSelected(batch, index)) positions.push(index);
    if (positions.length === batch.count) return batch;
    this.#builder.reset();
    for (const index of positions) {
      this.#builder.add(originOf(batch, index), batch.receivedTime[index]!, payloadOf(batch, index));
    }
    const { topic, partition, firstPosition } = batch;
    return {
      ...this.#builder.view(),
      ...{ topic, partition, firstPosition },
      positions: Float64Array.from(positions, (index) => firstPosition + index),
    };
  }

  #isSelected(batch: LoggedBatch, index: number): boolean {
    const { from, to } = this.#selection;
    const received = batch.receivedTime[index]!;
    return received >= from && received < to && this.#isWanted(originOf(batch, index));
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
