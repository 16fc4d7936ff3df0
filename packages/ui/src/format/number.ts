/** Numbers for people: grouped, with as many digits as mean something, never 0.30000000000000004. */

const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const plain = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });
const scientific = new Intl.NumberFormat('en', { notation: 'scientific', maximumSignificantDigits: 4 });
const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** 12345 → "12,345". */
export function formatCount(value: number): string {
  return counts.format(value);
}

/** 1234567 → "1.2M"; below ten thousand as formatCount. */
export function formatCompact(value: number): string {
  return Math.abs(value) < 10_000 ? counts.format(value) : compact.format(value);
}

/** A rate per second: whole numbers from ten up, one or two decimals below, so that slow still shows. */
export function formatRate(value: number): string {
  if (value >= 10 || value === 0) return formatCompact(value);
  return value.toLocaleString('en', { maximumFractionDigits: value >= 1 ? 1 : 2 });
}

/** A measured value with six significant digits; texts as they are; null as a dash. */
export function formatValue(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e9 || size < 1e-4) ? scientific.format(value) : plain.format(value);
}

/** A value beside others of one axis: decimals follow from the axis' step, so that digits stay in column. */
export function formatAtStep(value: number, step: number): string {
  const decimals = decimalsOf(step);
  if (Math.abs(value) >= 1e6) return compact.format(value);
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

const DECIMALS_MAX = 8;

/** Decimals with which steps are told apart: 2.5 → 1, 0.05 → 2, 10 → 0. */
function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < DECIMALS_MAX; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (scaled >= 1 && Math.abs(scaled - Math.round(scaled)) < 1e-6) return decimals;
  }
  return step > 0 ? DECIMALS_MAX : 0;
}

/** 1536 → "1.5 KB" (powers of 1,024). */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toLocaleString('en', { maximumFractionDigits: power === 0 || value >= 100 ? 0 : 1 })} ${BYTE_UNITS[power]}`;
}

/** A duration in seconds, in the largest unit that reads well: "340 ms", "2.1 s", "14 min", "3 h", "12 d". */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
