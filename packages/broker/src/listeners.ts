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
import { type Clock, FieldlineError, type Logger, messageOf } from '@fieldline/kit';
import type { PeerFacts } from './open-session.ts';
import type { BrokerLimits, TcpListenerOptions, TlsListenerOptions, TlsMaterial } from './options.ts';
import { WebSocketDoor } from './websocket-door.ts';

/** What a connection is made of: a socket, or a WebSocket that looks like one. */
export interface ClientStream extends Duplex {
  /** The client is let in: what holds strangers back ends. */
  admitted?(): void;
  /** What it holds of a message that is not complete, and is called when that has grown. */
  readonly gatheredBytes?: number;
  onGathered?: (() => void) | null;
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
  readonly clock: Clock;
  /** `acceptedMs`: when TCP was accepted (monotonic). */
  readonly accept: (stream: ClientStream, peer: PeerFacts, acceptedMs: number) => void;
  readonly refused: () => void;
}

/**
 * A small mark for what waits in a socket, since the broker has limits of its own; and TCP asks after silent peers, because a
 * client without keep-alive that has lost its power never says so.
 */
const SOCKETS = { highWaterMark: 16 * 1024, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };

interface Handshake {
  readonly socket: Socket;
  readonly acceptedMs: number;
  readonly forget: () => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #open: { kind: ListenerKind; server: Server; options: TcpListenerOptions | TlsListenerOptions }[] = [];
  readonly #sockets = new Set<Socket>();
  /** Sockets that are at their TLS handshake, by both their ends. */
  readonly #handshakes = new Map<string, Handshake>();

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
    const { clock, accept } = this.#options;
    server.on(
      'connection',
      (socket) => this.#count(socket) && accept(socket, peerOf(socket, false), clock.monotonicMs()),
    );
    return server;
  }

  #tlsServer(options: TlsListenerOptions): Server {
    return this.#secureServer(options, (socket, acceptedMs) =>
      this.#options.accept(socket, securePeerOf(socket), acceptedMs),
    );
  }

  #webSocketServer(): Server {
    const door = this.#webSocketDoor();
    const server = createServer(SOCKETS);
    const { clock } = this.#options;
    server.on(
      'connection',
      (socket) => this.#count(socket) && door.take(socket, peerOf(socket, false), clock.monotonicMs()),
    );
    return server;
  }

  #webSocketTlsServer(options: TlsListenerOptions): Server {
    const door = this.#webSocketDoor();
    return this.#secureServer(options, (socket, acceptedMs) => door.take(socket, securePeerOf(socket), acceptedMs));
  }

  #webSocketDoor(): WebSocketDoor {
    const { limits, clock, accept, refused } = this.#options;
    return new WebSocketDoor({ limits, clock, accept, refused });
  }

  #secureServer(options: TlsListenerOptions, secured: (socket: TLSSocket, acceptedMs: number) => void): Server {
    const { clock, limits } = this.#options;
    const server = tlsServer(options, limits.connectTimeoutMs);
    server.on('connection', (socket: Socket) => {
      if (!this.#count(socket)) return;
      const ends = endsOf(socket);
      const forget = (): void => void this.#handshakes.delete(ends);
      this.#handshakes.set(ends, { socket, acceptedMs: clock.monotonicMs(), forget });
      socket.once('close', forget);
    });
    server.on('secureConnection', (socket) => {
      const handshake = this.#handshakes.get(endsOf(socket));
      handshake?.socket.off('close', handshake.forget);
      handshake?.forget();
      secured(socket, handshake?.acceptedMs ?? clock.monotonicMs());
    });
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

/** What a TCP connection and the TLS connection on it have in common. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress}:${localPort} ${remoteAddress}:${remotePort}`;
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
