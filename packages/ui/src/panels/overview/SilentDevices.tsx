/** Offline devices, the longest silent first. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleCheck } from 'lucide-react';
import { api } from '../../api/client.ts';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { KindIcon } from '../../faces/KindIcon.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';

const DEVICES_SHOWN = 7;

export function SilentDevices() {
  const silent = useQuery({
    queryKey: ['devices', 'silent'],
    queryFn: ({ signal }) =>
      api.devices.list({ status: 'offline', sort: 'lastSeen', order: 'asc', limit: DEVICES_SHOWN }, { signal }),
    refetchInterval: 30_000,
  });
  return (
    <Panel title={t.overview.silent} className="fl-live-data">
      <Faces query={silent} rows={4}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyFace icon={CircleCheck} title={t.overview.silentNone} />
          ) : (
            <table className="fl-table">
              <tbody>
                {items.map((device) => (
                  <tr key={device.id}>
                    <td style={{ width: 18, paddingRight: 0, color: 'var(--fl-text-faint)', lineHeight: 0 }}>
                      <KindIcon kind={device.kind} />
                    </td>
                    <td className="fl-cut" style={{ maxWidth: 0, width: '60%' }}>
                      <Link className="fl-link" to="/devices/$deviceId" params={{ deviceId: device.id }}>
                        {device.name}
                      </Link>
                    </td>
                    <td className="fl-right fl-faint" style={{ whiteSpace: 'nowrap' }}>
                      <Time at={device.lastSeen} never={t.devices.never} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Faces>
    </Panel>
  );
}
