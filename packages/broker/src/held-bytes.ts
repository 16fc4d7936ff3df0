/**
 * What one connection makes the broker hold: bytes on their way to the log, bytes of a packet that is not complete, bytes
 * that the client has not read. Counts them for the device and the total, and judges what is too much or takes too long.
 */
import type { Duplex } from 'node:stream';
import type { Budgets, DeviceUsage, Usage, WaitsForRoom } from './budgets.ts';
import type { BrokerLimits } from './options.ts';

/** What each write that waits in a socket costs beside its bytes. */
const WRITE_BYTES = 128;
/** Nothing read for so long: while the total is used up, such a client is the one to go. */
const STALLED_WHILE_FULL_MS = 5_000;

export class HeldBytes {
  readonly #budgets: Budgets;
  readonly #limits: BrokerLimits;
  #device: DeviceUsage | null = null;
  log = 0;
  /** Of a packet whose rest is still to come, and since when (monotonic ms); 0 = none is. */
  partial = 0;
  #partialSinceMs = 0;
  /** Not read by the client; 0 below the socket's own mark, and 'drain' tells when it is 0 again. */
  unread = 0;
  #unreadWrites = 0;
  #stalledBytes = 0;
  #stalledSinceMs = 0;

  constructor(budgets: Budgets, limits: BrokerLimits) {
    this.#budgets = budgets;
    this.#limits = limits;
  }

  get #usage(): Usage {
    return this.#device ?? this.#budgets.unknown;
  }

  /** From here on it counts for this device. */
  belongsTo(device: DeviceUsage | null): void {
    this.release();
    this.#device = device;
  }

  /** The socket is closed: only what waits for the log is still held. */
  release(): void {
    this.#setPartial(0);
    this.#setUnread(0);
  }

  // ── On the way to the log ──

  addLog(bytes: number): void {
    this.log += bytes;
    this.#usage.add('log', bytes);
  }

  /** The device has more on the way to the log than it may have. */
  get isDeviceFull(): boolean {
    return this.#device !== null && this.#device.log > this.#limits.pendingBytesPerDeviceMax;
  }

  waitForRoom(connection: WaitsForRoom): void {
    this.#device?.waitForRoom(connection);
  }

  /** Those that wait because of the device's bytes go on when half is free. */
  giveRoom(): void {
    this.#device?.giveRoom(this.#limits.pendingBytesPerDeviceMax / 2);
  }

  // ── Packets that are not complete ──

  /** A packet is complete: the next one has its own time. */
  packetDone(): void {
    this.#partialSinceMs = 0;
  }

  /** After a read: so many bytes wait for the rest of their packet. False where that is too much. */
  keepsPartial(bytes: number, nowMs: number): boolean {
    if (bytes === 0 && this.partial === 0) return true;
    if (bytes === 0) this.#partialSinceMs = 0;
    else if (this.#partialSinceMs === 0) this.#partialSinceMs = nowMs;
    const isMore = bytes > this.partial;
    this.#setPartial(bytes);
    if (!isMore) return true;
    const { partialBytesMax, partialBytesPerDeviceMax, unknownBytesMax } = this.#limits;
    if (this.#device === null) return this.#budgets.unknown.partial <= unknownBytesMax;
    return this.#device.partial <= partialBytesPerDeviceMax && this.#budgets.total.partial <= partialBytesMax;
  }

  /** A packet has been under way for too long. `isRead`: where the socket is not read, that is not the client's doing. */
  isPacketLate(nowMs: number, isRead: boolean): boolean {
    if (this.#partialSinceMs === 0) return false;
    if (!isRead) this.#partialSinceMs = nowMs;
    return nowMs - this.#partialSinceMs > this.#limits.packetTimeoutMs;
  }

  #setPartial(bytes: number): void {
    if (bytes === this.partial) return;
    this.#usage.add('partial', bytes - this.partial);
    this.partial = bytes;
  }

  // ── What the client does not read ──

  /** After each write. */
  wrote(stream: Duplex): void {
    if (!stream.writableNeedDrain) return;
    this.#unreadWrites += 1;
    this.#setUnread(stream.writableLength + this.#unreadWrites * WRITE_BYTES);
  }

  drained(): void {
    this.#setUnread(0);
  }

  /** More is unread than this connection may have at the moment. */
  get isStuffed(): boolean {
    return this.unread > 0 && this.unread > this.#unreadMax();
  }

  /** Nothing at all was read for too long; called now and then. */
  isStalled(stream: Duplex, nowMs: number): boolean {
    if (!this.isStuffed) {
      this.#stalledSinceMs = 0;
      return false;
    }
    const { writableLength } = stream;
    if (this.#stalledSinceMs === 0 || writableLength < this.#stalledBytes) this.#stalledSinceMs = nowMs;
    this.#stalledBytes = writableLength;
    const { stalledReaderTimeoutMs, outboundBytesMax } = this.#limits;
    const isFull = this.#budgets.total.unread > outboundBytesMax;
    const timeoutMs = isFull ? Math.min(STALLED_WHILE_FULL_MS, stalledReaderTimeoutMs) : stalledReaderTimeoutMs;
    return nowMs - this.#stalledSinceMs >= timeoutMs;
  }

  /** Its own limit; while its device or all together have too much, its share of that. */
  #unreadMax(): number {
    const { outboundBytesPerConnectionMax, outboundBytesPerDeviceMax, outboundBytesMax } = this.#limits;
    const { total } = this.#budgets;
    let most = outboundBytesPerConnectionMax;
    if (this.#device !== null && this.#device.unread > outboundBytesPerDeviceMax) {
      most = Math.min(most, outboundBytesPerDeviceMax / this.#device.unreadCount);
    }
    if (total.unread > outboundBytesMax) most = Math.min(most, outboundBytesMax / total.unreadCount);
    return most;
  }

  #setUnread(bytes: number): void {
    if (bytes === this.unread) return;
    this.#usage.addUnread(bytes - this.unread, Number(bytes > 0) - Number(this.unread > 0));
    this.unread = bytes;
    if (bytes === 0) this.#unreadWrites = 0;
  }
}
