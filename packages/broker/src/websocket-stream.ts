/**
 * One WebSocket as a byte stream (MQTT 5, 6): what comes in binary messages goes out as bytes, whatever the borders of the
 * messages are [MQTT-6.0.0-2]; what is written together leaves as one message. A text message ends it [MQTT-6.0.0-1].
 * Bounded both ways: not read → the socket is not read; not sent → write() says so and 'drain' follows. What it gathers of a
 * message that is not complete is told as it grows.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { WebSocketMeter } from './websocket-meter.ts';

/** RFC 6455, 7.4.1. */
const NORMAL_CLOSURE = 1000;
const UNSUPPORTED_DATA = 1003;
/** How long the other side has to read why it is closed. */
const LAST_WORDS_MS = 500;
/** While more waits in the socket, pings are not answered: who does not read the answers wants none (RFC 6455, 5.5.3). */
const PONG_MARK_BYTES = 16 * 1024;

export class WebSocketStream extends Duplex {
  readonly #webSocket: WebSocket;
  readonly #strangerBytesMax: number;
  readonly #meter = new WebSocketMeter();
  #isKnown = false;
  #isAbandoned = false;
  onGathered: (() => void) | null = null;

  /** `strangerBytesMax`: how much of a message somebody may make us hold before admitted(). */
  constructor(webSocket: WebSocket, socket: Socket, strangerBytesMax: number) {
    super({ allowHalfOpen: false });
    this.#webSocket = webSocket;
    this.#strangerBytesMax = strangerBytesMax;
    // Before whoever gathers: when a message is handed over, it does not count any more.
    socket.prependListener('data', (chunk: Buffer) => this.#measure(chunk));
    webSocket.on('ping', (data: Buffer) => {
      if (socket.writableLength <= PONG_MARK_BYTES) webSocket.pong(data);
    });
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.#take(data, isBinary));
    webSocket.on('error', () => this.#abandon());
    webSocket.on('close', () => this.destroy());
  }

  /** The client is known: from here on messages may be as large as the listener allows. */
  admitted(): void {
    this.#isKnown = true;
  }

  /** What it holds of a message that is not complete. */
  get gatheredBytes(): number {
    return this.#meter.heldBytes;
  }

  override _read(): void {
    if (this.#webSocket.isPaused) this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#webSocket.send(chunk, { binary: true }, (error) => callback(error ?? null));
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    const message = Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.#webSocket.send(message, { binary: true }, (error) => callback(error ?? null));
  }

  /** The closing handshake; whoever does not answer it is cut off by destroy(). */
  override _final(callback: (error?: Error | null) => void): void {
    this.#webSocket.close(NORMAL_CLOSURE);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#webSocket.terminate();
    callback(error);
  }

  #measure(chunk: Buffer): void {
    this.#meter.take(chunk);
    if (!this.#isKnown && this.#meter.byteLength > this.#strangerBytesMax) this.destroy();
    else this.onGathered?.();
  }

  /** The last words are said; what still comes in is passed over. */
  #abandon(): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    const timer = setTimeout(() => this.destroy(), LAST_WORDS_MS);
    this.once('close', () => clearTimeout(timer));
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (this.#isAbandoned) return;
    if (!isBinary) {
      this.#webSocket.close(UNSUPPORTED_DATA, 'MQTT goes in binary messages');
      this.#abandon();
      return;
    }
    if (!this.push(data)) this.#webSocket.pause();
  }
}
