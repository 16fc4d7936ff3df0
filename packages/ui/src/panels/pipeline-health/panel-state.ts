/** What the figures of the pipeline mean: when lag is worth a colour, what a sealed sample costs. No React. */
export type Tone = 'good' | 'warn' | 'bad';

/** Seconds of age from which what waits is worth a look, and worth an alarm. */
const LAG_WARN_S = 5;
const LAG_BAD_S = 60;

export function lagTone(seconds: number | null): Tone | undefined {
  if (seconds === null || seconds < LAG_WARN_S) return undefined;
  return seconds < LAG_BAD_S ? 'warn' : 'bad';
}

export function statusTone(status: 'ok' | 'degraded' | 'stopped'): Tone {
  if (status === 'ok') return 'good';
  return status === 'degraded' ? 'warn' : 'bad';
}

export function breakerTone(state: 'closed' | 'open' | 'half-open'): Tone {
  if (state === 'closed') return 'good';
  return state === 'half-open' ? 'warn' : 'bad';
}

/** Bytes on disk for one sealed sample; null before anything is sealed. */
export function bytesPerSample(store: { readonly sealedRows: number; readonly sealedBytes: number }): number | null {
  return store.sealedRows === 0 ? null : store.sealedBytes / store.sealedRows;
}
