/** Thins a column of samples to what a screen can show in one frame: the minimum and maximum of each slice stay. Pure. */
import type { LiveColumns } from '@fieldline/contract';

/** The same columns with about `pointsMax` points; texts are thinned to the newest ones. */
export function thin(columns: LiveColumns, pointsMax: number): LiveColumns {
  const count = columns.timestamps.length;
  if (count <= pointsMax) return columns;
  if (columns.values.some((value) => typeof value === 'string')) return pick(columns, lastRows(count, pointsMax));
  const slices = Math.max(1, Math.floor(pointsMax / 2));
  const rows: number[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const from = Math.floor((slice * count) / slices);
    const to = Math.floor(((slice + 1) * count) / slices);
    rows.push(...extremes(columns.values as number[], from, to));
  }
  return pick(columns, rows);
}

function extremes(values: readonly number[], from: number, to: number): number[] {
  let least = from;
  let most = from;
  for (let row = from + 1; row < to; row++) {
    if (values[row]! < values[least]!) least = row;
    if (values[row]! > values[most]!) most = row;
  }
  if (least === most) return [least];
  return least < most ? [least, most] : [most, least];
}

function lastRows(count: number, rows: number): number[] {
  return Array.from({ length: rows }, (_, index) => count - rows + index);
}

function pick({ timestamps, values, quality }: LiveColumns, rows: readonly number[]): LiveColumns {
  return {
    timestamps: rows.map((row) => timestamps[row]!),
    values: rows.map((row) => values[row]!),
    quality: rows.map((row) => quality[row]!),
  };
}
