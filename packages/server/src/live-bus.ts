/** The live fan-out between the parts that know something new and the api's sockets. All in the main thread, in memory. */
import type { DeviceStatusUpdate, LiveBus, LiveFrame, LiveInterest } from '@fieldline/api';
import type { DomainEvent } from '@fieldline/model';

/** Hands what happens to those who listen; interest goes the other way. */
export class MemoryLiveBus implements LiveBus {
  readonly #frames = new Set<(frame: LiveFrame) => void>();
  readonly #statuses = new Set<(update: DeviceStatusUpdate) => void>();
  readonly #events = new Set<(event: DomainEvent) => void>();
  readonly #onInterest: (interest: LiveInterest) => void;
  #interest: LiveInterest = { devices: [], sites: [], organizations: [] };

  constructor(onInterest: (interest: LiveInterest) => void) {
    this.#onInterest = onInterest;
  }

  setInterest(interest: LiveInterest): void {
    this.#interest = interest;
    this.#onInterest(interest);
  }

  /** What was last asked for. */
  get interest(): LiveInterest {
    return this.#interest;
  }

  onFrame(listener: (frame: LiveFrame) => void): () => void {
    return added(this.#frames, listener);
  }

  onDeviceStatus(listener: (update: DeviceStatusUpdate) => void): () => void {
    return added(this.#statuses, listener);
  }

  onEvent(listener: (event: DomainEvent) => void): () => void {
    return added(this.#events, listener);
  }

  frame(frame: LiveFrame): void {
    for (const listener of this.#frames) listener(frame);
  }

  deviceStatus(update: DeviceStatusUpdate): void {
    for (const listener of this.#statuses) listener(update);
  }

  event(event: DomainEvent): void {
    for (const listener of this.#events) listener(event);
  }
}

function added<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
