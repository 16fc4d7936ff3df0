/** One figure that matters: label, number, unit, a line below, and the last minutes as a small curve. */
import type { ReactNode } from 'react';
import './stat.css';

interface Props {
  readonly label: string;
  readonly value: ReactNode;
  readonly unit?: string;
  readonly note?: ReactNode;
  readonly tone?: 'good' | 'warn' | 'bad' | undefined;
  readonly trail?: readonly number[];
}

export function Stat({ label, value, unit, note, tone, trail }: Props) {
  return (
    <div className="fl-stat" data-tone={tone}>
      <div className="fl-stat-label">{label}</div>
      <div className="fl-stat-value">
        {value}
        {unit !== undefined && <span className="fl-stat-unit">{unit}</span>}
      </div>
      <div className="fl-stat-note">{note}</div>
      {trail !== undefined && <Sparkline values={trail} />}
    </div>
  );
}

const WIDTH = 160;
const HEIGHT = 36;

/** A curve without axes; newest at the right. Nothing for fewer than two values. */
export function Sparkline({ values }: { readonly values: readonly number[] }) {
  if (values.length < 2) return <svg className="fl-spark" aria-hidden />;
  const line = sparkPoints(values, WIDTH, HEIGHT);
  return (
    <svg className="fl-spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden>
      <polygon points={`${line} ${WIDTH},${HEIGHT} ${firstX(line)},${HEIGHT}`} />
      <polyline points={line} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

const POINTS_SHOWN_MIN = 30;

/** "x,y x,y …" with zero at the bottom, so that a small wobble does not look like a storm. */
export function sparkPoints(values: readonly number[], width: number, height: number): string {
  const top = Math.max(...values, 1e-9);
  const step = width / (Math.max(POINTS_SHOWN_MIN, values.length) - 1);
  const first = width - (values.length - 1) * step;
  return values
    .map(
      (value, index) =>
        `${(first + index * step).toFixed(1)},${(height - 2 - (value / top) * (height - 6)).toFixed(1)}`,
    )
    .join(' ');
}

function firstX(line: string): string {
  return line.slice(0, line.indexOf(','));
}
