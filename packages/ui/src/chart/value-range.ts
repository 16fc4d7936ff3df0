/** The range of a value axis: what is seen plus a margin, held while it fits, so that a live chart does not breathe. */
export interface ValueRange {
  readonly low: number;
  readonly high: number;
}

const MARGIN = 0.08;
/** A held range is given up when the data fill less than this part of it. */
const FILL_MIN = 0.55;

/** The range for data within [low, high]; infinite where there is none. `held` is the range of the frame before. */
export function valueRange(low: number, high: number, held: ValueRange | null): ValueRange {
  if (low > high) return held ?? { low: 0, high: 1 };
  const extent = high - low;
  const margin = extent === 0 ? Math.max(Math.abs(high) * 0.05, 0.5) : extent * MARGIN;
  if (held !== null && low >= held.low && high <= held.high && extent >= (held.high - held.low) * FILL_MIN) return held;
  return { low: low - margin, high: high + margin };
}
