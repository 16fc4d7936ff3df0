/** Addresses, names and topics with which a device connects. */
import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';

export function useConnectInfo(deviceId: string) {
  return useQuery({
    queryKey: ['device', deviceId, 'connect'],
    queryFn: ({ signal }) => api.devices.connect(deviceId, { signal }),
    staleTime: 60_000,
  });
}
