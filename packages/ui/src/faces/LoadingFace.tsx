/** The loading face: quiet rows where the content will be. */
import { Skeleton } from '@mantine/core';
import { t } from '../i18n/index.ts';

export function LoadingFace({ rows = 4 }: { readonly rows?: number }) {
  return (
    <div role="status" aria-label={t.common.loading} style={{ padding: 16, display: 'grid', gap: 14 }}>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows of a placeholder have no other name
        <Skeleton key={row} height={12} width={`${92 - ((row * 17) % 40)}%`} radius="sm" />
      ))}
    </div>
  );
}
