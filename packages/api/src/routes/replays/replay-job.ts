/** A replay as a job: what its parameters say. Written by the api, read by whoever does it. */
import type { Job } from '@fieldline/catalog';
import type { Micros } from '@fieldline/model';

export const REPLAY_KIND = 'telemetry-replay';

export interface ReplayParameters {
  /** Ids; null = all of the organization. */
  readonly deviceIds: readonly string[] | null;
  /** Received time: inclusive and exclusive. */
  readonly from: Micros;
  readonly to: Micros;
  /** null = as fast as live ingestion allows. */
  readonly speed: number | null;
  readonly target: 'live' | 'sandbox';
}

export function isSandboxReplay({ kind, parameters, status }: Job): boolean {
  return kind === REPLAY_KIND && parameters.target === 'sandbox' && status !== 'cancelled';
}
