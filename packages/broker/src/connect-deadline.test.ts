/** From TCP's accept to an accepted CONNECT there is one time-out, whatever lies between: TLS, the HTTP upgrade, both. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Authority } from './testing/authority.ts';
import { startBroker, type TestBroker, until } from './testing/harness.ts';

const LIMIT_MS = 1_000;
/** The broker looks at its connections every quarter of a second; the rest is for a busy machine. */
const LATE_MS = 600;
const UPGRADE = [
  'GET /mqtt HTTP/1.1',
  'Host: a',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: mqtt',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  '\r\n',
].join('\r\n');

let broker: TestBroker;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await broker.broker.stop();
});

async function open(
  kind: 'tcp' | 'tls' | 'ws' | 'wss',
): Promise<{ socket: Socket; closedAfterMs: () => Promise<number> }> {
  const authority = await Authority.create('Fieldline test');
  const local = { host: '127.0.0.1', port: 0 };
  const secure = { ...local, ...(await authority.issue('localhost')), clientCertificate: 'none' } as const;
  const listeners = { tcp: [local], tls: [secure], ws: [local, secure] };
  broker = await startBroker({ listeners, limits: { connectTimeoutMs: LIMIT_MS } });
  const { port } = broker.broker.addresses().find((address) => address.kind === kind)!;
  const socket = connect({ host: '127.0.0.1', port });
  sockets.push(socket);
  socket.on('error', () => {});
  socket.resume();
  await until(() => !socket.connecting, 'TCP');
  const fromMs = performance.now();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  return { socket, closedAfterMs: () => closed.then(() => performance.now() - fromMs) };
}

async function secured(socket: Socket): Promise<Duplex> {
  const stream = connectTls({ socket, rejectUnauthorized: false });
  stream.on('error', () => {});
  await new Promise((resolve) => stream.once('secureConnect', resolve));
  return stream;
}

async function upgraded(stream: Duplex): Promise<void> {
  const answer = new Promise((resolve) => stream.once('data', resolve));
  stream.write(UPGRADE);
  expect(String(await answer)).toContain('101 Switching Protocols');
}

function expectInTime(closedAfterMs: number): void {
  expect(closedAfterMs).toBeGreaterThan(LIMIT_MS - 50);
  expect(closedAfterMs).toBeLessThan(LIMIT_MS + LATE_MS);
}

test('WebSocket: late with the upgrade, and then without CONNECT', async () => {
  const { socket, closedAfterMs } = await open('ws');
  await sleep(LIMIT_MS * 0.75);
  await upgraded(socket);
  expectInTime(await closedAfterMs());
});

test('TLS: late with the handshake, and then without CONNECT', async () => {
  const { socket, closedAfterMs } = await open('tls');
  await sleep(LIMIT_MS * 0.75);
  await secured(socket);
  expectInTime(await closedAfterMs());
});

test('WebSocket over TLS: late with both', async () => {
  const { socket, closedAfterMs } = await open('wss');
  await sleep(LIMIT_MS * 0.4);
  const stream = await secured(socket);
  await sleep(LIMIT_MS * 0.4);
  await upgraded(stream);
  expectInTime(await closedAfterMs());
});

// Which timer of a socket runs stands in /proc: 02 = keep-alive.
test.runIf(process.platform === 'linux').each(['tcp', 'tls', 'ws', 'wss'] as const)(
  'TCP asks after silent peers: %s',
  async (kind) => {
    const { socket } = await open(kind);
    const ends = [socket.remotePort!, socket.localPort!].map((port) =>
      port.toString(16).toUpperCase().padStart(4, '0'),
    );
    const line = (): string[] | undefined =>
      readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .map((text) => text.trim().split(/\s+/))
        .find((columns) => columns[1]?.endsWith(`:${ends[0]}`) && columns[2]?.endsWith(`:${ends[1]}`));
    await until(() => line()?.[5]?.startsWith('02:') ?? false, 'the keep-alive timer runs');
  },
);
