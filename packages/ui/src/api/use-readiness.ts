/** The state of each part of the server. 503 carries the same body as 200, so this goes past the client, which calls it an error. */
import type { Answer } from '@fieldline/contract/client';
import { useQuery } from '@tanstack/react-query';

type Readiness = Answer<'health', 'ready'>;

export function useReadiness() {
  return useQuery({
    queryKey: ['health', 'ready'],
    refetchInterval: 5_000,
    retry: 0,
    queryFn: async ({ signal }): Promise<Readiness> => {
      const response = await fetch('/health/ready', { signal });
      if (response.status !== 200 && response.status !== 503)
        throw new Error(`/health/ready answered ${response.status}`);
      return response.json() as Promise<Readiness>;
    },
  });
}
