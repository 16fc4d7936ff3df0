/**
 * From a socket to MQTT over WebSocket (MQTT 5, 6; RFC 6455): an HTTP server that knows one path and one subprotocol and
 * answers everything else with a sentence. In: sockets, plain or TLS; out: byte streams for connections.
 */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@fieldline/kit';
import { WebSocketServer } from 'ws';
import type { ClientStream } from './listeners.ts';
import type { PeerFacts } from './open-session.ts';
import type { BrokerLimits } from './options.ts';
import { WebSocketStream } from './websocket-stream.ts';

export const WEBSOCKET_PATH = '/mqtt';
const SUBPROTOCOL = 'mqtt';
const HEADER_BYTES_MAX = 8 * 1024;
const BATCH_BYTES_MAX = 64 * 1024;

export interface WebSocketDoorOptions {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly accept: (stream: ClientStream, peer: PeerFacts, acceptedMs: number) => void;
  readonly refused: () => void;
}

/** A socket before it is a WebSocket. */
interface Visitor {
  readonly peer: PeerFacts;
  readonly acceptedMs: number;
  readonly timer: NodeJS.Timeout;
}

export class WebSocketDoor {
  readonly #options: WebSocketDoorOptions;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #visitors = new WeakMap<Socket, Visitor>();

  constructor(options: WebSocketDoorOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Compression would let a few bytes become many in our memory.
      perMessageDeflate: false,
      autoPong: false,
      // Several packets may stand in one message; one may be as large as it is.
      maxPayload: options.limits.packetBytesMax + BATCH_BYTES_MAX,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    // It never listens: sockets come through take(), and so do their time-outs.
    this.#http = createServer({ maxHeaderSize: HEADER_BYTES_MAX });
    this.#http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#http.on('request', (request, response) => {
      options.refused();
      const status = pathOf(request) === WEBSOCKET_PATH ? 426 : 404;
      response.writeHead(status, { connection: 'close', 'content-type': 'text/plain', upgrade: 'websocket' });
      response.end(`MQTT over WebSocket is at ${WEBSOCKET_PATH}, subprotocol "${SUBPROTOCOL}".\n`);
    });
    this.#http.on('clientError', (_error, socket) => {
      options.refused();
      socket.destroy();
    });
  }

  /** Takes a socket whose TLS handshake, if any, is done; the time-out runs since it was accepted (monotonic ms). */
  take(socket: Socket, peer: PeerFacts, acceptedMs: number): void {
    const { clock, limits, refused } = this.#options;
    const timer = setTimeout(
      () => {
        refused();
        socket.destroy();
      },
      acceptedMs + limits.connectTimeoutMs - clock.monotonicMs(),
    );
    this.#visitors.set(socket, { peer, acceptedMs, timer });
    socket.once('close', () => clearTimeout(timer));
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    // [MQTT-6.0.0-3], [-4]: the client offers "mqtt" and the server takes it.
    if (pathOf(request) !== WEBSOCKET_PATH || !offered.includes(SUBPROTOCOL)) {
      this.#refuse(socket, pathOf(request) === WEBSOCKET_PATH ? 400 : 404);
      return;
    }
    const { limits, accept } = this.#options;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { peer, acceptedMs, timer } = this.#visitors.get(socket)!;
      this.#visitors.delete(socket);
      clearTimeout(timer);
      // Frame headers and masks come on top of what a CONNECT may have.
      const stream = new WebSocketStream(webSocket, socket, limits.connectBytesMax + 1_024);
      accept(stream, peer, acceptedMs);
    });
  }

  #refuse(socket: Socket, status: 400 | 404): void {
    this.#options.refused();
    const sentence = `MQTT over WebSocket is at ${WEBSOCKET_PATH}, subprotocol "${SUBPROTOCOL}".\n`;
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
        `Content-Length: ${sentence.length}\r\n\r\n${sentence}`,
    );
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0]!;
}
