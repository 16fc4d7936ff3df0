/** The API keys, making one, revoking one. */
import type { Body } from '@fieldline/contract/client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { api, queryClient } from '../../api/client.ts';
import { toastDone, toastError } from '../../faces/toast.ts';
import { t } from '../../i18n/index.ts';

const KEY = ['api-keys'];
const KEYS_MAX = 1000;
const readAnew = (): Promise<void> => queryClient.invalidateQueries({ queryKey: KEY });

export function useApiKeys() {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.apiKeys.list({ limit: KEYS_MAX }, { signal }) });
}

export function useCreateApiKey() {
  return useMutation({
    mutationFn: (body: Body<'apiKeys', 'create'>) => api.apiKeys.create(body),
    onSuccess: readAnew,
  });
}

export function useRevokeApiKey() {
  return useMutation({
    mutationFn: (id: string) => api.apiKeys.revoke(id),
    onError: toastError,
    onSuccess: () => {
      toastDone(t.settings.apiKeys.revoked);
      return readAnew();
    },
  });
}
