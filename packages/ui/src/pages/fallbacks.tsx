/** What shows where a page does not exist, or broke, or the server cannot be reached at the start. */
import { Button } from '@mantine/core';
import type { ErrorComponentProps } from '@tanstack/react-router';
import { Compass } from 'lucide-react';
import { EmptyFace, ErrorFace } from '../faces/Face.tsx';
import { t } from '../i18n/index.ts';

export function NotFoundFace() {
  return (
    <EmptyFace icon={Compass} title={t.faces.notFoundTitle} hint={t.faces.notFound}>
      <Button component="a" href="/" variant="default">
        {t.nav.overview}
      </Button>
    </EmptyFace>
  );
}

export function CrashFace({ error, reset }: ErrorComponentProps) {
  console.error(error);
  return <ErrorFace error={error} onRetry={reset} />;
}
