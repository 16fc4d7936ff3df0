/**
 * How much of what was written to a connection its client has not read, and for how long it has read nothing. Everything that
 * is sent counts: frames, answers, pings. Of a client that asks on while it does not read, nothing is read either.
 */
import type { Socket as NetSocket } from 'node:net';
import type { Socket } from 'socket.io';

export type EngineSocket = Socket['conn'];
/** The WebSocket (ws) below Engine.IO's transport. */
interface PausableTransport {
  readonly socket: { pause(): void; resume(): void; on(event: 'ping' | 'message', listener: () => void): void };
}

export interface WatchLimits {
  /** Bytes on the way to one client: beyond it nothing more is written; beyond twice of it it is not read. */
  readonly unreadBytesPerClientMax: number;
  /** The same of all clients: beyond it whoever has read nothing for STALLED_WHILE_FULL_MS has to go. */
  readonly unreadBytesMax: number;
  readonly stalledTimeoutMs: number;
}

const STALLED_WHILE_FULL_MS = 5_000;

export class ConnectionWatch {
  readonly #webSocket: PausableTransport['socket'];
  readonly #socket: NetSocket;
  readonly #limits: WatchLimits;
  /** Handed to Engine.IO in this turn of the event loop; the next one hands it to the socket. */
  #queuedBytes = 0;
  #unreadBefore = 0;
  #stalledSinceMs: number | null = null;
  #isPaused = false;
  /** Called when everything that was written has left the process. */
  onRoom: () => void = () => {};

  constructor(connection: EngineSocket, limits: WatchLimits) {
    this.#webSocket = (connection.transport as unknown as PausableTransport).socket;
    this.#socket = connection.request.socket;
    this.#limits = limits;
    connection.on('packetCreate', ({ data }: { data?: string | Buffer }) => {
      this.#queuedBytes += data?.length ?? 0;
    });
    connection.on('flush', () => {
      this.#queuedBytes = 0;
    });
    connection.transport.on('drain', () => this.onRoom());
    // Answered at once, and there can be many thousands before anybody looks again.
    for (const event of ['ping', 'message'] as const) this.#webSocket.on(event, () => this.#pauseWhereFull());
  }

  get unreadBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  /** The kernel takes no more for this client, or it has been given enough for one turn of the event loop. */
  get isFull(): boolean {
    return this.#socket.writableLength > 0 || this.#queuedBytes > this.#limits.unreadBytesPerClientMax;
  }

  /** To be called now and then: pauses and resumes reading; true where the client has read nothing for too long. */
  isStalled(nowMs: number, totalUnreadBytes: number): boolean {
    const { unreadBytesMax, stalledTimeoutMs } = this.#limits;
    const unread = this.#socket.writableLength;
    this.#pauseWhereFull();
    if (unread === 0) this.#stalledSinceMs = null;
    else if (this.#stalledSinceMs === null || unread < this.#unreadBefore) this.#stalledSinceMs = nowMs;
    this.#unreadBefore = unread;
    if (this.#stalledSinceMs === null) return false;
    const timeoutMs = totalUnreadBytes > unreadBytesMax ? STALLED_WHILE_FULL_MS : stalledTimeoutMs;
    return nowMs - this.#stalledSinceMs >= Math.min(timeoutMs, stalledTimeoutMs);
  }

  /** Closes the connection with all that it holds; whatever could be said would not be read. */
  cut(): void {
    this.#socket.destroy();
  }

  #pauseWhereFull(): void {
    const pause = this.unreadBytes > 2 * this.#limits.unreadBytesPerClientMax;
    if (pause === this.#isPaused) return;
    this.#isPaused = pause;
    if (pause) this.#webSocket.pause();
    else this.#webSocket.resume();
  }
}
