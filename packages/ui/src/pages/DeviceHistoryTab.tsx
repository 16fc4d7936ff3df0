/** History of a device; range and metrics stand in the address. */
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useDevice } from '../api/use-device.ts';
import { HistoryChart } from '../panels/history-chart/index.tsx';

export function DeviceHistoryTab() {
  const { deviceId } = useParams({ from: '/app/devices/$deviceId/history' });
  const search = useSearch({ from: '/app/devices/$deviceId/history' });
  const { data: device } = useDevice(deviceId);
  const navigate = useNavigate();
  if (device === undefined) return null;
  return (
    <HistoryChart
      deviceId={device.id}
      search={search}
      onSearch={(next) =>
        void navigate({ to: '/devices/$deviceId/history', params: { deviceId }, search: next, replace: true })
      }
    />
  );
}
