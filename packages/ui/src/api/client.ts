/** The typed client with this page's session, the query cache, and what may be tried again. */
import { createClient, ProblemError } from '@fieldline/contract/client';
import { QueryClient } from '@tanstack/react-query';
import { t } from '../i18n/index.ts';
import { session } from '../session/index.ts';

export const api = createClient({ accessToken: session.accessToken, refresh: session.refresh });

const RETRIES_MAX = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => failures < RETRIES_MAX && mayRetry(error),
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
});

/** A refusal stays a refusal; what did not arrive or broke on the server may pass the next time. */
export function mayRetry(error: unknown): boolean {
  return !(error instanceof ProblemError) || error.status >= 500;
}

/** What went wrong, as a sentence for people. */
export function sayError(error: unknown): string {
  if (!(error instanceof ProblemError)) return t.faces.unknownError;
  const first = error.problem.errors?.[0];
  return first === undefined ? error.problem.detail : `${error.problem.detail} (${first.path}: ${first.message})`;
}
