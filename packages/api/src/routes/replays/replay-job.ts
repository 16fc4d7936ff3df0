/** A replay as a job: what its parameters say. Written by the api, read by whoever does it. */
import type { Job } from '@fieldline/catalog';
import { MICROS_PER_SECOND, type Micros, microsToIso } from '@fieldline/model';

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

/** The parameters as they were asked for. */
export function replayParametersJson({ parameters }: Job): Record<string, unknown> {
  const { deviceIds, from, to, speed, target } = parameters as unknown as ReplayParameters;
  return {
    ...{ devices: deviceIds ?? 'all', startTime: microsToIso(from), endTime: microsToIso(to) },
    ...{ speed: speed ?? 'max', target },
  };
}

/** How long what is left takes at the pace that was asked for; null where it goes as fast as it can. */
export function pacedSecondsLeft({ parameters, progressDone, progressTotal }: Job): number | null {
  const { from, to, speed } = parameters as unknown as ReplayParameters;
  if (speed === null) return null;
  const left = progressTotal === null || progressTotal === 0 ? 1 : 1 - progressDone / progressTotal;
  return Math.ceil(((to - from) / MICROS_PER_SECOND / speed) * left);
}

export function isSandboxReplay({ kind, parameters, status }: Job): boolean {
  return kind === REPLAY_KIND && parameters.target === 'sandbox' && status !== 'cancelled';
}
