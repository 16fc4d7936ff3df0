/**
 * Tries again, with back-off, what others could not do for the pipeline. While it tries, the reason stands in `troubles`,
 * so that health tells it.
 */
import { Backoff, type FieldlineError, isFieldlineError, type Logger, messageOf, sleep } from '@fieldline/kit';

/** Attempts after which an error without a meaning is taken as the answer. */
const UNKNOWN_ERRORS_MAX = 8;

export interface Patience {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** What → why it is waited for. */
  readonly troubles: Map<string, string>;
}

/** True for an error that means the same however often it is tried. */
export function isRefusal(error: unknown): error is FieldlineError {
  return (
    isFieldlineError(error) &&
    error.status >= 400 &&
    error.status < 500 &&
    error.code !== 'OVERLOADED' &&
    error.code !== 'CONFLICT' &&
    error.code !== 'RATE_LIMITED'
  );
}

/**
 * The result of `attempt`. Rejects when the signal aborts or the other side has stopped, when the error is a refusal, and (unless
 * `forever`) when an error without a meaning (INTERNAL) comes again and again.
 */
export async function untilDone<T>(
  what: string,
  attempt: () => Promise<T>,
  { signal, logger, troubles }: Patience,
  forever = false,
): Promise<T> {
  const backoff = new Backoff({ initialMs: 50, maximumMs: 5000 });
  try {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted || isFieldlineError(error, 'STOPPED')) throw error;
        if (!forever && (isRefusal(error) || (isUnknown(error) && backoff.attempts >= UNKNOWN_ERRORS_MAX))) throw error;
        troubles.set(what, messageOf(error));
        logger.warn({ error: messageOf(error), attempt: backoff.attempts + 1 }, `${what} failed; tried again`);
        await sleep(backoff.nextMs(), signal);
        if (signal.aborted) throw error;
      }
    }
  } finally {
    troubles.delete(what);
  }
}

function isUnknown(error: unknown): boolean {
  return !isFieldlineError(error) || error.code === 'INTERNAL';
}
