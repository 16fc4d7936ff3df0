/** Aedes alone in a process, for comparison. Arguments: certificate and key. Prints its ports as one JSON line. */
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';

interface AedesModule {
  readonly Aedes: { createBroker(options: object): Promise<{ handle(socket: Duplex): void }> };
}

interface WebSocketModule {
  readonly WebSocketServer: new (options: object) => EventEmitter;
  createWebSocketStream(webSocket: unknown): Duplex;
}

const [certFile, keyFile] = process.argv.slice(2) as [string, string];
const name = 'aedes'; // Not among our dependencies: whoever wants the comparison installs it.
const { Aedes } = (await import(name)) as AedesModule;
const webSockets = 'ws'; // Aedes brings it.
const { createWebSocketStream, WebSocketServer } = (await import(webSockets)) as WebSocketModule;
const broker = await Aedes.createBroker({ concurrency: 1000, queueLimit: 1_000_000, maxClientsIdLength: 64 });
const tcp = createServer((socket) => broker.handle(socket));
const tls = createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) =>
  broker.handle(socket),
);
const http = createHttpServer();
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (webSocket) =>
  broker.handle(createWebSocketStream(webSocket)),
);
for (const server of [tcp, tls, http]) {
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
}
const portOf = (server: Pick<typeof tcp, 'address'>): number => (server.address() as { port: number }).port;
console.log(JSON.stringify({ tcp: portOf(tcp), tls: portOf(tls), ws: portOf(http) }));
