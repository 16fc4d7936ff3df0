/** Which of the four faces a query shows: loading, error, stale (old data with a bar above, dimmed), or the data. */
import { TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { formatAge } from '../format/time.ts';
import { t } from '../i18n/index.ts';
import { useNow } from './clock.ts';
import { ErrorFace } from './Face.tsx';
import { LoadingFace } from './LoadingFace.tsx';

/** What a face needs to know of a query. */
interface Asked<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isError: boolean;
  readonly dataUpdatedAt: number;
  refetch(): unknown;
}

interface Props<T> {
  readonly query: Asked<T>;
  readonly rows?: number;
  readonly loading?: ReactNode;
  readonly children: (data: T) => ReactNode;
}

export function Faces<T>({ query, rows, loading, children }: Props<T>) {
  if (query.data === undefined) {
    if (query.isError) return <ErrorFace error={query.error} onRetry={() => void query.refetch()} />;
    return loading ?? <LoadingFace rows={rows ?? 4} />;
  }
  if (!query.isError) return children(query.data);
  return (
    <>
      <StaleBar since={query.dataUpdatedAt} />
      <div className="fl-stale">{children(query.data)}</div>
    </>
  );
}

export function StaleBar({ since }: { readonly since: number }) {
  const now = useNow();
  return (
    <div className="fl-stale-bar" role="status">
      <TriangleAlert size={14} aria-hidden />
      {t.faces.staleSince(formatAge(since, now))}
    </div>
  );
}
