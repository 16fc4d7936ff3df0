/** Whether values come in live, and the banner when they do not. */
import { Tooltip } from '@mantine/core';
import { WifiOff } from 'lucide-react';
import { formatClock, formatFull } from '../format/time.ts';
import { t } from '../i18n/index.ts';
import { useLiveState } from '../live/index.ts';

export function ConnectionMark() {
  const { status, since } = useLiveState();
  const hint = status === 'live' ? t.connection.liveHint : t.connection.banner(formatFull(since));
  return (
    <Tooltip label={hint} position="right" multiline maw={320}>
      <div className="fl-connection" role="status">
        <span className="fl-dot" data-live={status} aria-hidden />
        <span>{t.connection[status]}</span>
      </div>
    </Tooltip>
  );
}

export function ConnectionBanner() {
  const { status, since } = useLiveState();
  if (status !== 'lost') return null;
  return (
    <div className="fl-banner" role="alert">
      <WifiOff size={16} aria-hidden />
      {t.connection.banner(formatClock(since, Date.now()))}
    </div>
  );
}
