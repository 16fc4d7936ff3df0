/** Live chart and latest values of a device. */
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useDevice } from '../api/use-device.ts';
import { LatestValues } from '../panels/latest-values/index.tsx';
import { LiveChart } from '../panels/live-chart/index.tsx';

export function DeviceLiveTab() {
  const { deviceId } = useParams({ from: '/app/devices/$deviceId/' });
  const search = useSearch({ from: '/app/devices/$deviceId/' });
  const { data: device } = useDevice(deviceId);
  const navigate = useNavigate();
  if (device === undefined) return null;
  return (
    <div className="fl-device-live">
      <LiveChart
        deviceId={device.id}
        isOnline={device.status === 'online'}
        search={search}
        onSearch={(next) =>
          void navigate({ to: '/devices/$deviceId', params: { deviceId }, search: next, replace: true })
        }
      />
      <LatestValues deviceId={device.id} />
    </div>
  );
}
