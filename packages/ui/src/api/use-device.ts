/** One device, kept current by live status changes. */
import { useQuery } from '@tanstack/react-query';
import { useLiveEvents } from '../live/index.ts';
import { api, queryClient } from './client.ts';

type Device = Awaited<ReturnType<typeof api.devices.get>>;

export function useDevice(deviceId: string) {
  const query = useQuery({
    queryKey: ['device', deviceId],
    queryFn: ({ signal }) => api.devices.get(deviceId, { signal }),
    refetchInterval: 30_000,
  });
  useLiveEvents(query.data === undefined ? null : { deviceId: query.data.id }, {
    'device:status': (change) => {
      queryClient.setQueryData<Device>(['device', deviceId], (device) =>
        device === undefined || device.id !== change.deviceId
          ? device
          : {
              ...device,
              status: change.status,
              statusSince: change.since,
              lastSeen: change.lastSeen ?? device.lastSeen,
            },
      );
    },
  });
  return query;
}
