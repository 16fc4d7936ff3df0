/**
 * A set of (hour, series) cells, each with a stamp that grows: what was touched behind the back of something derived. Two
 * exist: late cells may hold several rows of one source time, so reads look for the winner there (stamp = newest generation
 * that brought one); stale cells have samples that their roll-up lacks (stamp = count of appends).
 */
import { MICROS_PER_HOUR, type Micros } from '@fieldline/model';

export class Cells {
  /** hour → series → stamp of the newest touch */
  readonly #hours = new Map<number, Map<number, number>>();
  add(hour: number, seriesId: number, stamp: number): void {
    let series = this.#hours.get(hour);
    if (series === undefined) {
      series = new Map();
      this.#hours.set(hour, series);
    }
    const before = series.get(seriesId);
    if (before !== undefined && before >= stamp) return;
    series.set(seriesId, stamp);
  }

  has(hour: number, seriesId: number, stamp: number): boolean {
    return (this.#hours.get(hour)?.get(seriesId) ?? -Infinity) >= stamp;
  }

  /** True where one of these series (null = any) has a cell within [from, to). */
  touches(seriesIds: readonly number[] | null, from: Micros, to: Micros): boolean {
    if (this.#hours.size === 0) return false;
    const first = Math.floor(from / MICROS_PER_HOUR);
    const end = Math.ceil(to / MICROS_PER_HOUR);
    for (const [hour, series] of this.#hours) {
      if (hour < first || hour >= end) continue;
      if (seriesIds === null || seriesIds.some((id) => series.has(id))) return true;
    }
    return false;
  }

  /** True where one of these series has a cell in this hour. */
  touchesHour(seriesIds: readonly number[], hour: number): boolean {
    const series = this.#hours.get(hour);
    return series !== undefined && seriesIds.some((id) => series.has(id));
  }

  /** All cells as [hour, series, stamp]. */
  *entries(): Generator<[number, number, number]> {
    for (const [hour, series] of this.#hours) {
      for (const [seriesId, stamp] of series) yield [hour, seriesId, stamp];
    }
  }

  /** Removes the cells for which the test holds; returns how many there were. */
  remove(test: (hour: number, seriesId: number, stamp: number) => boolean): number {
    let count = 0;
    for (const [hour, series] of this.#hours) {
      for (const [seriesId, stamp] of series) {
        if (!test(hour, seriesId, stamp)) continue;
        series.delete(seriesId);
        count += 1;
      }
      if (series.size === 0) this.#hours.delete(hour);
    }
    return count;
  }
}
