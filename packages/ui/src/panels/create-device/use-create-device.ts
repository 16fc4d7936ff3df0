/** Creates a device; lists and counts are read anew. */
import type { Body } from '@fieldline/contract/client';
import { useMutation } from '@tanstack/react-query';
import { api, queryClient } from '../../api/client.ts';

export function useCreateDevice() {
  return useMutation({
    mutationFn: (body: Body<'devices', 'create'>) => api.devices.create(body),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['devices'] }),
  });
}
