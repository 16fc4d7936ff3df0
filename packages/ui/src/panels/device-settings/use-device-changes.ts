/** What can be done to a device: change, replace or take away its token, delete. */
import type { Body } from '@fieldline/contract/client';
import { ProblemError } from '@fieldline/contract/client';
import { useMutation } from '@tanstack/react-query';
import { api, queryClient } from '../../api/client.ts';
import { toastDone, toastError } from '../../faces/toast.ts';
import { t } from '../../i18n/index.ts';

const readAnew = (): Promise<void> => queryClient.invalidateQueries({ queryKey: ['device'] });

export function usePatchDevice(deviceId: string) {
  return useMutation({
    mutationFn: (body: Body<'devices', 'patch'>) => api.devices.patch(deviceId, body),
    onSuccess: () => toastDone(t.common.saved),
    onError: (error) => {
      if (error instanceof ProblemError && error.code === 'CONFLICT') toastDone(t.deviceSettings.conflict);
      else toastError(error);
    },
    onSettled: readAnew,
  });
}

export function useRotateToken(deviceId: string) {
  return useMutation({ mutationFn: () => api.devices.rotateToken(deviceId), onError: toastError, onSuccess: readAnew });
}

export function useRevokeToken(deviceId: string) {
  return useMutation({
    mutationFn: () => api.devices.revokeToken(deviceId),
    onError: toastError,
    onSuccess: () => {
      toastDone(t.deviceSettings.revoked);
      return readAnew();
    },
  });
}

export function useDeleteDevice(deviceId: string, onDeleted: () => void) {
  return useMutation({
    mutationFn: () => api.devices.delete(deviceId),
    onError: toastError,
    onSuccess: async () => {
      onDeleted();
      queryClient.removeQueries({ queryKey: ['device', deviceId] });
      await queryClient.invalidateQueries({ queryKey: ['devices'] });
    },
  });
}
