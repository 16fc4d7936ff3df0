/** Draws the table of latest values. */
import { Gauge } from 'lucide-react';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { QualityMark } from '../../faces/QualityMark.tsx';
import { Time } from '../../faces/Time.tsx';
import { formatValue } from '../../format/number.ts';
import { displayUnit } from '../../format/unit.ts';
import { t } from '../../i18n/index.ts';
import { useLatest } from './use-latest.ts';
import './latest.css';

export function LatestValues({ deviceId }: { readonly deviceId: string }) {
  const latest = useLatest(deviceId);
  return (
    <Panel title={t.latest.title} className="fl-live-data">
      <Faces query={latest} rows={10}>
        {(rows) =>
          rows.length === 0 ? (
            <EmptyFace icon={Gauge} title={t.latest.empty} hint={t.latest.emptyHint} />
          ) : (
            <div className="fl-latest">
              <table className="fl-table">
                <thead>
                  <tr>
                    <th>{t.latest.metric}</th>
                    <th className="fl-right">{t.latest.value}</th>
                    <th aria-label={t.latest.value} />
                    <th>{t.latest.quality}</th>
                    <th className="fl-right">{t.latest.age}</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.metricKey}>
                      <td className="fl-latest-name" title={row.metricKey}>
                        {row.metricKey}
                      </td>
                      <td className="fl-right fl-latest-value">{formatValue(row.value)}</td>
                      <td className="fl-faint fl-latest-unit">{displayUnit(row.unit)}</td>
                      <td>
                        <QualityMark quality={row.quality} />
                      </td>
                      <td className="fl-right fl-faint">
                        <Time at={row.time} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Faces>
    </Panel>
  );
}
