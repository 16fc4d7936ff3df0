/**
 * A server for tests of the UI: serves packages/ui/dist and speaks the contract with a made-up plant, over real HTTP and
 * Socket.IO. Each request and answer is held against the contract's schemas, so that the UI is tested with what the api says.
 * Started by itself (node packages/ui/test/plant-server.ts [port]) it is something to click through.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { listRoutes, type RouteDefinition } from '@fieldline/contract';
import { Server } from 'socket.io';
import { Convert, Errors } from 'typebox/value';
import { METRICS, ORGANIZATION_ID, uuid, valueAt } from './plant.ts';
import { createHandlers, type Plant, Refusal } from './plant-handlers.ts';

const DIST = join(import.meta.dirname, '..', 'dist');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const SAMPLES_PER_SECOND = 50;
const FRAME_INTERVAL_MS = 100;

export interface PlantServer {
  readonly url: string;
  readonly plant: Plant;
  /** Breaches of the contract, by the UI or by this server. */
  readonly breaches: string[];
  /** Cuts all live connections and refuses new ones, or lets them in again. */
  setLive(isOpen: boolean): void;
  close(): Promise<void>;
}

export async function startPlantServer(port = 0, deviceCount = 10_000): Promise<PlantServer> {
  const breaches: string[] = [];
  const { handlers, plant } = createHandlers(deviceCount);
  const routes = listRoutes().map(({ group, name, route }) => ({
    route,
    handler: handlers[`${group}.${name}`],
    pattern: new RegExp(`^${route.path.replace(/:([A-Za-z]+)/g, '(?<$1>[^/]+)')}$`),
  }));
  const http = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      breaches.push(String(error));
      response.writeHead(500).end();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (!/^\/(api|health)\//.test(url.pathname)) return serveFile(url.pathname, response);
    for (const { route, handler, pattern } of routes) {
      const match = route.method === request.method ? pattern.exec(url.pathname) : null;
      if (match === null || handler === undefined) continue;
      const params = Object.fromEntries(
        Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
      );
      const body = await readBody(request);
      const query = Object.fromEntries(url.searchParams);
      checkRequest(route, query, body, `${request.method} ${url.pathname}`);
      const isOpen = route.permission === null;
      if (!isOpen && request.headers.authorization !== `Bearer ${plant.accessToken}`) {
        return sendProblem(response, new Refusal(401, 'UNAUTHORIZED', 'access token is missing or too old'));
      }
      try {
        const result = handler({ params, query, body, cookie: request.headers.cookie ?? '', response });
        if (route.answer !== null) check(route.answer, result, `answer of ${request.method} ${url.pathname}`);
        response.writeHead(route.status, { 'content-type': 'application/json' });
        response.end(route.answer === null ? undefined : JSON.stringify(result));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        sendProblem(response, error);
      }
      return;
    }
    sendProblem(response, new Refusal(404, 'NOT_FOUND', `no route ${request.method} ${url.pathname}`));
  }

  function checkRequest(route: RouteDefinition, query: object, body: unknown, what: string): void {
    if (route.query !== undefined) check(route.query, Convert(route.query, query), `query of ${what}`);
    if (route.body !== undefined && body !== undefined) check(route.body, body, `body of ${what}`);
  }

  function check(schema: NonNullable<RouteDefinition['answer']>, value: unknown, what: string): void {
    const [first] = Errors(schema, value);
    if (first !== undefined) breaches.push(`${what}: ${first.instancePath} ${first.message}`);
  }

  const live = new Server(http, { path: '/live', serveClient: false });
  let isLiveOpen = true;
  live.use((socket, next) =>
    isLiveOpen && socket.handshake.auth.token === plant.accessToken ? next() : next(new Error('UNAUTHORIZED')),
  );
  live.on('connection', (socket) => {
    socket.on('subscribe', (target: { organizationId?: string; deviceId?: string }, ack: (answer: object) => void) => {
      void socket.join(JSON.stringify(target));
      ack({ ok: true });
    });
    socket.on('unsubscribe', (target: object, ack: (answer: object) => void) => {
      void socket.leave(JSON.stringify(target));
      ack({ ok: true });
    });
    socket.on('authenticate', (_token: string, ack: (answer: object) => void) => ack({ ok: true }));
  });
  let sentUpTo = Date.now();
  const speaking = setInterval(() => {
    const frame = frameUpTo(sentUpTo, Date.now());
    sentUpTo = frame.upTo;
    live.to(JSON.stringify({ deviceId: uuid(2, 0) })).emit('telemetry:new', frame.message);
  }, FRAME_INTERVAL_MS);

  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    plant,
    breaches,
    setLive: (isOpen) => {
      isLiveOpen = isOpen;
      if (!isOpen) live.disconnectSockets(true);
    },
    close: async () => {
      clearInterval(speaking);
      await live.close();
    },
  };
}

function frameUpTo(from: number, now: number) {
  const spacing = 1000 / SAMPLES_PER_SECOND;
  const timestamps: number[] = [];
  let time = Math.floor(from / spacing) * spacing + spacing;
  for (; time <= now; time += spacing) timestamps.push(time);
  const metrics = Object.fromEntries(
    METRICS.filter((metric) => metric.valueKind === 'number').map(({ metricKey }) => [
      metricKey,
      {
        timestamps,
        values: timestamps.map((at) => valueAt(metricKey, at)),
        quality: timestamps.map(() => (metricKey === 'power' ? 64 : 192)),
      },
    ]),
  );
  return { upTo: time - spacing, message: { organizationId: ORGANIZATION_ID, deviceId: uuid(2, 0), metrics } };
}

function sendProblem(response: ServerResponse, { status, code, message }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: `/problems/${code.toLowerCase()}`, title: code, status, detail: message, code }));
}

async function serveFile(path: string, response: ServerResponse): Promise<void> {
  const isFile = extname(path) !== '';
  const file = join(DIST, isFile ? normalize(path) : 'index.html');
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null) return void response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy':
      "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws:",
  });
  response.end(bytes);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

if (import.meta.main) {
  const server = await startPlantServer(Number(process.argv[2] ?? 0));
  console.log(`${server.url}  (plant@example.org / plant-password)`);
}
