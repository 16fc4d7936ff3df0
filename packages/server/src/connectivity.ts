/**
 * Which devices are online, in memory, from what the broker says; written to the catalog in bulk once a second. A device
 * may have several connections (a take-over by a second client id): it is offline when the last one has ended.
 */
import { type Logger, messageOf } from '@fieldline/kit';
import type { Micros } from '@fieldline/model';
import type { ConnectionMessage } from './threads/messages.ts';

export interface DeviceConnection {
  readonly deviceId: string;
  readonly organizationId: string;
  readonly status: 'online' | 'offline';
  readonly since: Micros;
  readonly reason: string;
}

export class Connectivity {
  readonly #devices = new Map<string, DeviceConnection & { readonly connections: number }>();
  readonly #dirty = new Set<string>();

  /** Takes a message in; returns the new state where the device went online or offline, else null. */
  apply(message: ConnectionMessage): DeviceConnection | null {
    if (message.change === 'refused') return null;
    const before = this.#devices.get(message.deviceId);
    const connections = Math.max(0, (before?.connections ?? 0) + (message.change === 'connected' ? 1 : -1));
    const status = connections > 0 ? 'online' : 'offline';
    const changed = before?.status !== status;
    const state = {
      deviceId: message.deviceId,
      organizationId: message.organizationId,
      status,
      since: changed ? message.time : before.since,
      reason: message.reason,
      connections,
    } as const;
    this.#devices.set(message.deviceId, state);
    if (!changed) return null;
    this.#dirty.add(message.deviceId);
    return state;
  }

  get(deviceId: string): DeviceConnection | undefined {
    return this.#devices.get(deviceId);
  }

  onlineCount(organizationId?: string): number {
    let count = 0;
    for (const device of this.#devices.values()) {
      if (device.status === 'online' && (organizationId === undefined || device.organizationId === organizationId))
        count += 1;
    }
    return count;
  }

  /** Hands the devices that changed since the last flush to `write`; keeps them for the next time where it fails. */
  async flush(write: (changed: readonly DeviceConnection[]) => Promise<void>, logger: Logger): Promise<void> {
    if (this.#dirty.size === 0) return;
    const ids = [...this.#dirty];
    this.#dirty.clear();
    try {
      await write(ids.map((id) => this.#devices.get(id)!));
    } catch (error) {
      for (const id of ids) this.#dirty.add(id);
      logger.warn(
        { deviceCount: ids.length, error: messageOf(error) },
        'connectivity not yet in the catalog; tried again',
      );
    }
  }
}
