/**
 * A day of one organisation into files of bounded size, cut between series, so that sorting stays in memory. Sealing writes
 * all slices at once; compaction leaves its turn to sealing between two of them.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { MICROS_PER_DAY, type Micros } from '@fieldline/model';
import { fetchTable } from './chunks.ts';
import type { SealedFile, Selection } from './layout.ts';
import { integer } from './session.ts';
import type { StoreState } from './state.ts';
import { writeParquet } from './write-parquet.ts';

/** The samples of one organisation and UTC day among others. */
export interface Portion {
  readonly organizationId: string;
  readonly day: number;
  readonly rowCount: number;
}

export interface SliceOptions extends Portion {
  readonly generation: number;
  /** Other organisations are in the source too: take the series in the temporary table `chosen` alone. */
  readonly isShared: boolean;
  readonly now: Micros;
}

export class Slices {
  readonly #state: StoreState;
  readonly #options: SliceOptions;
  /** SQL of all samples. */
  readonly #all: string;
  /** Series ids at which slices begin. */
  readonly #bounds: readonly string[];
  #next = 0;

  private constructor(state: StoreState, options: SliceOptions, all: string, bounds: readonly string[]) {
    this.#state = state;
    this.#options = options;
    this.#all = all;
    this.#bounds = bounds;
  }

  /** `samples` gives the SQL of a selection; the bounds of the slices are found from it. */
  static async begin(
    state: StoreState,
    samples: (selection: Selection) => string,
    options: SliceOptions,
  ): Promise<Slices> {
    const { day, isShared, rowCount } = options;
    const selection = { seriesIds: null, from: day * MICROS_PER_DAY, to: (day + 1) * MICROS_PER_DAY };
    const chosen = isShared ? 'series_id IN (SELECT id FROM chosen)' : 'true';
    const all = `SELECT * FROM (${samples(selection)}) WHERE ${chosen}`;
    const count = Math.round(rowCount / state.settings.sliceRows);
    return new Slices(state, options, all, await boundsOf(state.session.background, all, count));
  }

  get isDone(): boolean {
    return this.#next === this.#bounds.length;
  }

  /** Writes the next slice; null where nothing is in it. */
  async writeNext(): Promise<SealedFile | null> {
    const { organizationId, day, generation, now } = this.#options;
    const [from, to] = [this.#bounds[this.#next]!, this.#bounds[this.#next + 1]];
    const slice = to === undefined ? `series_id >= ${from}` : `series_id >= ${from} AND series_id < ${to}`;
    const id = this.#state.nextFileId;
    this.#state.nextFileId += 1;
    const sql = this.#bounds.length === 1 ? this.#all : `SELECT * FROM (${this.#all}) WHERE ${slice}`;
    const { sealedDir, session } = this.#state;
    const file = await writeParquet(session.background, sql, {
      sealedDir,
      id,
      generation,
      organizationId,
      day,
      sealedTime: now,
    });
    this.#next += 1;
    if (file !== null) this.#state.sound.add(file);
    return file;
  }
}

/** Series ids at which `count` slices of about equal size begin; a series is never cut. */
async function boundsOf(connection: DuckDBConnection, samples: string, count: number): Promise<string[]> {
  const bounds = [String(-(2 ** 31))];
  if (count <= 1) return bounds;
  const { columns } = await fetchTable(
    connection,
    `SELECT series_id::DOUBLE, count(*)::DOUBLE FROM (${samples}) GROUP BY series_id ORDER BY series_id`,
  );
  const [seriesIds, rowCounts] = columns as [Float64Array, Float64Array];
  const total = rowCounts.reduce((sum, rows) => sum + rows, 0);
  let rows = 0;
  for (const [index, seriesId] of seriesIds.entries()) {
    if (rows >= (total / count) * bounds.length) bounds.push(integer(seriesId));
    rows += rowCounts[index]!;
  }
  return bounds;
}
