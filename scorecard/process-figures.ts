/** Memory and descriptors of a running process (Linux), and statistics on series of them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory, MB. */
export function residentMb(processId: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${processId}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

export function descriptorCount(processId: number): number {
  return readdirSync(`/proc/${processId}/fd`).length;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** 0 where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Median of the slopes between all pairs (Theil–Sen): single peaks do not move it. Points are [x, y]. */
export function medianSlope(points: readonly (readonly [number, number])[]): number {
  const slopes: number[] = [];
  for (const [index, [x, y]] of points.entries()) {
    for (const [laterX, laterY] of points.slice(index + 1)) slopes.push((laterY - y) / (laterX - x));
  }
  return median(slopes);
}
