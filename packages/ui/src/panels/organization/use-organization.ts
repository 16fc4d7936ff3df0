/** The caller's organization, and changing it. */
import type { Answer, Body } from '@fieldline/contract/client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { api, queryClient } from '../../api/client.ts';
import { toastDone, toastError } from '../../faces/toast.ts';
import { t } from '../../i18n/index.ts';

const KEY = ['organization'];
export type Organization = Answer<'organization', 'get'>;

export function useOrganization() {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.organization.get({ signal }) });
}

export function usePatchOrganization() {
  return useMutation({
    mutationFn: (body: Body<'organization', 'patch'>) => api.organization.patch(body),
    onSuccess: (organization) => {
      queryClient.setQueryData(KEY, organization);
      toastDone(t.common.saved);
    },
    onError: (error) => {
      toastError(error);
      return queryClient.invalidateQueries({ queryKey: KEY });
    },
  });
}
