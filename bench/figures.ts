/** What a benchmark gives: figures with their targets, and the words that go with them. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Target of the design; 'at most' where smaller is better. */
  readonly must?: number;
  readonly aim?: number;
  readonly better: 'more' | 'less';
}

export interface BenchResult {
  readonly figures: readonly Figure[];
  /** Settings, where the time went, what limits the figure. */
  readonly notes: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly describes: string;
  run(options: BenchOptions): Promise<BenchResult>;
}

export interface BenchOptions {
  /** Seconds that a load is held; benches that need no load pass it over. */
  readonly seconds: number;
  /** Messages a second for the ones that load the broker; null = the bench's own. */
  readonly rate: number | null;
}

/** The value below which `share` of the values lie; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** A figure as a row of the printed table. */
export function figureRow(figure: Figure): string {
  const met = (target: number | undefined): string => {
    if (target === undefined) return '';
    const reached = figure.better === 'more' ? figure.value >= target : figure.value <= target;
    if (target === 0) return `${reached ? 'reached' : 'missed'} 0`;
    const ratio = figure.better === 'more' ? figure.value / target : target / figure.value;
    return `${reached ? 'reached' : 'missed'} ${shown(target)} (×${ratio.toFixed(2)})`;
  };
  return `  ${figure.name.padEnd(58)} ${shown(figure.value).padStart(12)} ${figure.unit.padEnd(12)} ${met(figure.must).padEnd(28)} ${met(figure.aim)}`;
}

function shown(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Math.round(value * 100) / 100);
}
