/** A time on the page: as clock or as age, the whole truth with zone on hover. */
import { formatAge, formatClock, formatFull, toMillis } from '../format/time.ts';
import { useNow } from './clock.ts';

interface Props {
  readonly at: string | number | null;
  readonly as?: 'age' | 'clock';
  /** What stands there when there is no time. */
  readonly never?: string;
}

export function Time({ at, as = 'age', never = '–' }: Props) {
  const now = useNow();
  if (at === null) return <span className="fl-faint">{never}</span>;
  const millis = toMillis(at);
  if (Number.isNaN(millis)) return <span>{never}</span>;
  return (
    <time dateTime={new Date(millis).toISOString()} title={formatFull(millis)}>
      {as === 'age' ? formatAge(millis, now) : formatClock(millis, now)}
    </time>
  );
}
