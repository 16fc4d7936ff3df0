/**
 * The doors: TCP, TLS and WebSocket servers that hand over byte streams with what is known about the other side. Connections
 * are counted from the first byte of TCP on (a TLS handshake that never ends counts, too); one too many is closed at once.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  Server as TlsServer,
} from 'node:tls';
import { FieldlineError, type Logger, messageOf } from '@fieldline/kit';
import type { PeerFacts } from './open-session.ts';
import type { BrokerLimits, TcpListenerOptions, TlsListenerOptions, TlsMaterial } from './options.ts';
import { WebSocketDoor } from './websocket-door.ts';

/** What a connection is made of: a socket, or a WebSocket that looks like one. */
export interface ClientStream extends Duplex {
  /** The client is let in: what holds strangers back ends. */
  admitted?(): void;
}

type ListenerKind = 'tcp' | 'tls' | 'ws' | 'wss';

export interface ListenerAddress {
  readonly kind: ListenerKind;
  readonly host: string;
  readonly port: number;
}

export interface ListenersOptions {
  readonly tcp: readonly TcpListenerOptions[];
  readonly tls: readonly TlsListenerOptions[];
  /** WebSocket; over TLS where the options name a certificate. */
  readonly ws: readonly (TcpListenerOptions | TlsListenerOptions)[];
  readonly limits: BrokerLimits;
  readonly logger: Logger;
  readonly accept: (stream: ClientStream, peer: PeerFacts) => void;
  readonly refused: () => void;
}

/**
 * A small mark for what waits in a socket, since the broker has limits of its own; and TCP asks after silent peers, because a
 * client without keep-alive that has lost its power never says so.
 */
const SOCKETS = { highWaterMark: 16 * 1024, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #open: { kind: ListenerKind; server: Server; options: TcpListenerOptions | TlsListenerOptions }[] = [];
  readonly #sockets = new Set<Socket>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  addresses(): ListenerAddress[] {
    return this.#open.map(({ kind, server }) => {
      const { address, port } = server.address() as AddressInfo;
      return { kind, host: address, port };
    });
  }

  /** Opens every door; rejects where one cannot be opened, with the others closed again. */
  async start(): Promise<void> {
    try {
      for (const options of this.#options.tcp) await this.#listen('tcp', this.#tcpServer(), options);
      for (const options of this.#options.tls) await this.#listen('tls', this.#tlsServer(options), options);
      for (const options of this.#options.ws) {
        if ('cert' in options) await this.#listen('wss', this.#webSocketTlsServer(options), options);
        else await this.#listen('ws', this.#webSocketServer(), options);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Certificates for handshakes from now on; who is connected stays. Throws CONFIG_INVALID and changes nothing where they are
   * none. The tickets of earlier handshakes count no more, so nobody passes by what has changed.
   */
  renewCertificates(material: TlsMaterial): void {
    checked(() => createSecureContext(contextOf(material)));
    for (const { server, options } of this.#open) {
      if (server instanceof TlsServer) server.setSecureContext(contextOf({ ...options, ...material }));
    }
  }

  /** Takes no more connections. */
  close(): void {
    for (const { server } of this.#open) server.close();
  }

  /** Waits until every socket is closed; those that are left after a while are cut. */
  async closed(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, timeoutMs);
    await Promise.all([...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    clearTimeout(timer);
  }

  #tcpServer(): Server {
    const server = createServer(SOCKETS);
    server.on('connection', (socket) => this.#count(socket) && this.#accept(socket, peerOf(socket, false)));
    return server;
  }

  #tlsServer(options: TlsListenerOptions): Server {
    return this.#secureServer(options, (socket) => this.#accept(socket, securePeerOf(socket)));
  }

  #webSocketServer(): Server {
    const door = this.#webSocketDoor();
    const server = createServer();
    server.on('connection', (socket) => this.#count(socket) && door.take(socket, peerOf(socket, false)));
    return server;
  }

  #webSocketTlsServer(options: TlsListenerOptions): Server {
    const door = this.#webSocketDoor();
    return this.#secureServer(options, (socket) => door.take(socket, securePeerOf(socket)));
  }

  #webSocketDoor(): WebSocketDoor {
    const { limits, accept, refused } = this.#options;
    return new WebSocketDoor({ limits, accept, refused });
  }

  #accept(socket: Socket, peer: PeerFacts): void {
    socket.setNoDelay(true);
    this.#options.accept(socket, peer);
  }

  #secureServer(options: TlsListenerOptions, secured: (socket: TLSSocket) => void): Server {
    const server = tlsServer(options, this.#options.limits.connectTimeoutMs);
    server.on('connection', (socket: Socket) => this.#count(socket));
    server.on('secureConnection', secured);
    server.on('tlsClientError', (error, socket) => {
      this.#options.refused();
      this.#options.logger.debug(
        { remoteAddress: socket.remoteAddress, error: messageOf(error) },
        'a TLS handshake failed',
      );
    });
    return server;
  }

  #count(socket: Socket): boolean {
    if (this.#sockets.size >= this.#options.limits.connectionsMax) {
      this.#options.refused();
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => this.#sockets.delete(socket));
    return true;
  }

  #listen(kind: ListenerKind, server: Server, options: TcpListenerOptions | TlsListenerOptions): Promise<void> {
    const { host, port } = options;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        reject(
          new FieldlineError(
            'UNAVAILABLE',
            `broker: cannot listen on ${host}:${port} (${messageOf(error)}); free the port or set another one`,
            { cause: error },
          ),
        );
      });
      server.listen({ host, port, backlog: 4096 }, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.#options.logger.error({ error: messageOf(error) }, 'a listener failed'));
        this.#open.push({ kind, server, options });
        resolve();
      });
    });
  }
}

/** Throws CONFIG_INVALID where key, certificate or authorities are none, or do not go together. */
function tlsServer(options: TlsListenerOptions, handshakeTimeout: number): TlsServer {
  const { clientCertificate } = options;
  return checked(() =>
    createTlsServer({
      ...SOCKETS,
      ...contextOf(options),
      requestCert: clientCertificate !== 'none',
      rejectUnauthorized: clientCertificate === 'required',
      handshakeTimeout,
    }),
  );
}

function contextOf(options: TlsMaterial & Pick<TlsListenerOptions, 'minVersion'>): SecureContextOptions {
  const { key, cert, ca, minVersion } = options;
  return {
    key,
    cert,
    ...(ca !== undefined && { ca: ca as string | Buffer | (string | Buffer)[] }),
    minVersion: minVersion ?? 'TLSv1.2',
  };
}

function checked<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `broker: no TLS with this key, certificate and authorities (${messageOf(error)}); give PEM files, the key being the certificate's own`,
      { cause: error },
    );
  }
}

function peerOf(socket: Socket, secure: boolean): PeerFacts {
  return {
    remoteAddress: socket.remoteAddress ?? '',
    secure,
    certificateCommonName: undefined,
    certificateFingerprint: undefined,
  };
}

/** The certificate counts only where it was verified against the listener's authorities. */
function securePeerOf(socket: TLSSocket): PeerFacts {
  const peer = peerOf(socket, true);
  if (!socket.authorized) return peer;
  const certificate = socket.getPeerCertificate();
  const commonName: unknown = certificate.subject?.CN;
  if (typeof commonName !== 'string') return peer;
  return { ...peer, certificateCommonName: commonName, certificateFingerprint: certificate.fingerprint256 };
}
