/**
 * Where samples are at this moment: generations of hot rows and sealed files. A query takes a lease, so that nothing of what
 * it reads is dropped or deleted before it ends; sealing and compaction put a new layout in place and retire what is replaced.
 */
import { MICROS_PER_DAY, MICROS_PER_HOUR, type Micros } from '@fieldline/model';

/** Hot rows that are sealed together; the newest one is appended to. */
export interface Generation {
  readonly id: number;
  readonly createdTime: Micros;
  /** It is appended to. */
  isOpen: boolean;
  /** The one before it was full, not old, when it was closed. */
  readonly followsFull: boolean;
  rowCount: number;
  /** Of rowCount, by shard (hot-tables.ts). */
  readonly shardRows: number[];
  /** Rows among them that may repeat a source time. */
  lateCount: number;
  /** Hours (since the epoch) in which it has rows. */
  readonly hours: Set<number>;
}

export interface SealedFile {
  readonly id: number;
  /** Arrival order: of two files, the rows of the one with the lower generation came first. */
  readonly generation: number;
  readonly organizationId: string;
  /** UTC day since the epoch. */
  readonly day: number;
  /** Within the sealed folder. */
  readonly path: string;
  readonly rowCount: number;
  readonly byteLength: number;
  readonly crc32: number;
  readonly minTime: Micros;
  readonly maxTime: Micros;
  readonly minSeries: number;
  readonly maxSeries: number;
  readonly sealedTime: Micros;
  /** What is wrong with it; such a file is left out of answers. */
  readonly damage: string | null;
}

/** What a question is about. */
export interface Selection {
  /** null = every series. */
  readonly seriesIds: readonly number[] | null;
  readonly from: Micros;
  readonly to: Micros;
}

export class Layout {
  /** Ascending. */
  readonly generations: readonly Generation[];
  readonly files: readonly SealedFile[];
  readonly #filesByDay: ReadonlyMap<number, SealedFile[]>;

  constructor(generations: readonly Generation[], files: readonly SealedFile[]) {
    this.generations = generations;
    this.files = files;
    this.#filesByDay = Map.groupBy(files, (file) => file.day);
  }

  get openGeneration(): Generation {
    return this.generations.at(-1)!;
  }

  /** Days that have samples within the range, ascending. */
  days(from: Micros, to: Micros): number[] {
    const first = Math.floor(from / MICROS_PER_DAY);
    const end = Math.ceil(to / MICROS_PER_DAY);
    const days = new Set<number>();
    for (const day of this.#filesByDay.keys()) if (day >= first && day < end) days.add(day);
    for (const { hours } of this.generations) {
      for (const hour of hours) {
        const day = Math.floor(hour / 24);
        if (day >= first && day < end) days.add(day);
      }
    }
    return [...days].sort((a, b) => a - b);
  }

  generationsOf({ from, to }: Selection): Generation[] {
    const first = Math.floor(from / MICROS_PER_HOUR);
    const end = Math.ceil(to / MICROS_PER_HOUR);
    return this.generations.filter(({ hours }) => {
      if (hours.size < end - first) return [...hours].some((hour) => hour >= first && hour < end);
      for (let hour = first; hour < end; hour += 1) if (hours.has(hour)) return true;
      return false;
    });
  }

  /** About how many samples a selection has, where every series had as many as any other. */
  estimatedRows(selection: Selection, seriesCount: number): number {
    const { seriesIds, from, to } = selection;
    let rows = 0;
    for (const { rowCount } of this.generationsOf(selection)) {
      rows += seriesIds === null ? rowCount : rowCount * Math.min(1, seriesIds.length / Math.max(1, seriesCount));
    }
    for (const file of this.filesOf(selection)) {
      const time = (Math.min(to, file.maxTime + 1) - Math.max(from, file.minTime)) / (file.maxTime + 1 - file.minTime);
      const asked = seriesIds?.filter((id) => id >= file.minSeries && id <= file.maxSeries).length ?? Infinity;
      rows += file.rowCount * time * Math.min(1, asked / (file.maxSeries + 1 - file.minSeries));
    }
    return rows;
  }

  filesOf({ seriesIds, from, to }: Selection): SealedFile[] {
    const found: SealedFile[] = [];
    for (const day of this.days(from, to)) {
      for (const file of this.#filesByDay.get(day) ?? []) {
        if (file.damage !== null || file.maxTime < from || file.minTime >= to) continue;
        if (seriesIds === null || seriesIds.some((id) => id >= file.minSeries && id <= file.maxSeries))
          found.push(file);
      }
    }
    return found;
  }
}

export interface Lease {
  readonly layout: Layout;
  release(): void;
}

export class LayoutKeeper {
  #current: Layout;
  #epoch = 0;
  readonly #leases = new Map<number, number>();
  readonly #retired: { epoch: number; drop: () => Promise<void> }[] = [];

  constructor(layout: Layout) {
    this.#current = layout;
  }

  get current(): Layout {
    return this.#current;
  }

  lease(): Lease {
    const epoch = this.#epoch;
    this.#leases.set(epoch, (this.#leases.get(epoch) ?? 0) + 1);
    let released = false;
    return {
      layout: this.#current,
      release: () => {
        if (released) return;
        released = true;
        const count = this.#leases.get(epoch)! - 1;
        if (count === 0) this.#leases.delete(epoch);
        else this.#leases.set(epoch, count);
      },
    };
  }

  /** Puts a new layout in place; `drop` removes what only older layouts need, once no query holds one of them. */
  replace(layout: Layout, drop?: () => Promise<void>): void {
    if (drop !== undefined) this.#retired.push({ epoch: this.#epoch, drop });
    this.#epoch += 1;
    this.#current = layout;
  }

  /** Removes what no query needs any more. What cannot be removed is tried again by the next call; the errors of this one. */
  async dropRetired(): Promise<unknown[]> {
    const oldest = Math.min(...this.#leases.keys(), Infinity);
    const errors: unknown[] = [];
    for (const retired of this.#retired.filter(({ epoch }) => epoch < oldest)) {
      try {
        await retired.drop();
        this.#retired.splice(this.#retired.indexOf(retired), 1);
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
