/** Empty and error faces: an icon, one line that says what is, one that says what to do. */
import { Button } from '@mantine/core';
import { CircleAlert, type LucideIcon, RotateCcw } from 'lucide-react';
import type { ReactNode } from 'react';
import { sayError } from '../api/client.ts';
import { t } from '../i18n/index.ts';
import './faces.css';

interface EmptyProps {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly hint?: string;
  readonly children?: ReactNode;
}

export function EmptyFace({ icon: Icon, title, hint, children }: EmptyProps) {
  return (
    <div className="fl-face" data-kind="empty">
      <div className="fl-face-icon">
        <Icon size={20} strokeWidth={1.75} aria-hidden />
      </div>
      <div className="fl-face-title">{title}</div>
      {hint !== undefined && <div className="fl-face-hint">{hint}</div>}
      {children !== undefined && <div className="fl-face-action">{children}</div>}
    </div>
  );
}

export function ErrorFace({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  return (
    <div className="fl-face" data-kind="error" role="alert">
      <div className="fl-face-icon">
        <CircleAlert size={20} strokeWidth={1.75} aria-hidden />
      </div>
      <div className="fl-face-title">{t.faces.errorTitle}</div>
      <div className="fl-face-hint">{sayError(error)}</div>
      {onRetry !== undefined && (
        <div className="fl-face-action">
          <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={onRetry}>
            {t.common.retry}
          </Button>
        </div>
      )}
    </div>
  );
}
