/** Devices online of all, and a bar that shows the shares. */
import { Link } from '@tanstack/react-router';
import { Faces } from '../../faces/Faces.tsx';
import { formatCount } from '../../format/number.ts';
import { t } from '../../i18n/index.ts';
import { useCounts } from './use-counts.ts';

export function FleetStat() {
  const counts = useCounts();
  return (
    <div className="fl-stat fl-live-data">
      <div className="fl-stat-label">{t.overview.fleet}</div>
      <Faces query={counts} loading={<div className="fl-stat-value">–</div>}>
        {({ online, offline, unknown }) => (
          <>
            <div className="fl-stat-value">
              {formatCount(online)}
              <span className="fl-stat-unit">
                / {formatCount(online + offline + unknown)} {t.overview.online.toLowerCase()}
              </span>
            </div>
            <div className="fl-stat-split" aria-hidden>
              <span style={{ flex: online, background: 'var(--fl-good)' }} />
              {offline > 0 && <span style={{ flex: offline, background: 'var(--fl-bad)' }} />}
              {unknown > 0 && <span style={{ flex: unknown, background: 'var(--fl-line-strong)' }} />}
            </div>
            <div className="fl-stat-note" style={{ display: 'flex', gap: 14, marginTop: 8 }}>
              <Link className="fl-link" to="/devices" search={{ status: 'offline' }}>
                {formatCount(offline)} {t.overview.offline.toLowerCase()}
              </Link>
              <Link className="fl-link" to="/devices" search={{ status: 'unknown' }}>
                {formatCount(unknown)} {t.overview.never.toLowerCase()}
              </Link>
            </div>
          </>
        )}
      </Faces>
    </div>
  );
}
