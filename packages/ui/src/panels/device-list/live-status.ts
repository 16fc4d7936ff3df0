/**
 * Status and last-seen times that came live, by device. Rows look here first. Bounded by the number of devices of the
 * organization; emptied when the list goes away.
 */
import type { DeviceStatusChange, TelemetryNew } from '@fieldline/contract';
import { useSyncExternalStore } from 'react';

type Status = DeviceStatusChange['status'];
const NOTIFY_INTERVAL_MS = 500;

export class LiveStatus {
  readonly #status = new Map<string, Status>();
  readonly #lastSeen = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #version = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  takeStatus(change: DeviceStatusChange): void {
    this.#status.set(change.deviceId, change.status);
    if (change.lastSeen !== null) this.#lastSeen.set(change.deviceId, Date.parse(change.lastSeen));
    this.#changed();
  }

  takeFrame(frame: TelemetryNew, now: number): void {
    this.#lastSeen.set(frame.deviceId, now);
    this.#changed();
  }

  statusOf(deviceId: string, known: Status): Status {
    return this.#status.get(deviceId) ?? known;
  }

  lastSeenOf(deviceId: string, known: string | null): number | null {
    const stored = known === null ? null : Date.parse(known);
    const heard = this.#lastSeen.get(deviceId);
    if (heard === undefined) return stored;
    return stored === null ? heard : Math.max(stored, heard);
  }

  /** The page was read anew at a time: what it says about status is newer than what came live before. */
  forget(): void {
    this.#status.clear();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly version = (): number => this.#version;

  /** Listeners hear at most twice a second, however much comes. */
  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#version += 1;
      for (const listener of this.#listeners) listener();
    }, NOTIFY_INTERVAL_MS);
  }
}

export function useLiveStatusVersion(status: LiveStatus): number {
  return useSyncExternalStore(status.subscribe, status.version, status.version);
}
