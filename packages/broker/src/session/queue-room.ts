/**
 * When the queues of one device, or all of them, hold too much: the largest queues give way, oldest messages first, until
 * each has no more than its share. Those below their share keep everything, so nobody loses messages to another's backlog.
 */
import type { DeviceUsage, Usage } from '../budgets.ts';
import type { Delivery } from '../message.ts';
import type { Session } from './session.ts';

export interface QueueRoomOptions {
  readonly total: Usage;
  readonly queueBytesMax: number;
  readonly queueBytesPerDeviceMax: number;
  readonly sessions: () => Iterable<Session>;
  /** Told of each message that gave way. */
  readonly gaveWay: (session: Session, delivery: Delivery) => void;
}

/** After a trim so much of the limit is free, so that the next one is not at the next message. */
const KEPT_SHARE = 63 / 64;

export class QueueRoom {
  readonly #options: QueueRoomOptions;

  constructor(options: QueueRoomOptions) {
    this.#options = options;
  }

  /** Called when something was queued for this device. */
  check(device: DeviceUsage): void {
    const { total, queueBytesMax, queueBytesPerDeviceMax, sessions } = this.#options;
    if (isOver(device, queueBytesPerDeviceMax)) this.#trim(device, queueBytesPerDeviceMax, device.sessions);
    if (isOver(total, queueBytesMax)) this.#trim(total, queueBytesMax, sessions());
  }

  #trim(usage: Usage, bytesMax: number, sessions: Iterable<Session>): void {
    const holders = [...sessions]
      .filter(({ outbound }) => outbound.queuedCount > 0)
      .sort((a, b) => a.outbound.queuedBytes - b.outbound.queuedBytes);
    let left = Math.max(0, bytesMax * KEPT_SHARE - usage.inFlight);
    for (const [index, session] of holders.entries()) {
      // What the smaller ones do not need is for the larger ones.
      const share = left / (holders.length - index);
      for (const delivery of session.outbound.trimTo(share)) this.#options.gaveWay(session, delivery);
      left -= session.outbound.queuedBytes;
    }
  }
}

function isOver(usage: Usage, bytesMax: number): boolean {
  return usage.queue > 0 && usage.queue + usage.inFlight > bytesMax;
}
