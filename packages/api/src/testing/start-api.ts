/**
 * The api on a real socket, with the log in memory and a plant of two organizations behind it. Every answer that call() gets
 * is held against its schema in the route table: a field too many or too few fails the test.
 */
import { type ClientEvents, listRoutes, type Role, type ServerEvents } from '@fieldline/contract';
import { type Health, ManualClock, Metrics, silentLogger } from '@fieldline/kit';
import { createMemoryLog, type Log } from '@fieldline/log';
import { originOf, payloadOf } from '@fieldline/model';
import { io, type Socket } from 'socket.io-client';
import { Compile } from 'typebox/compile';
import { type Api, createApi } from '../create-api.ts';
import type {
  ApiDependencies,
  DeadLetterItem,
  DeviceConnectivity,
  DeviceStatusUpdate,
  LiveFrame,
  LiveInterest,
} from '../dependencies.ts';
import { type ApiSettings, DEFAULT_API_SETTINGS } from '../settings.ts';
import { createMemoryCatalog, type TestCatalog } from './memory-catalog.ts';
import { createMemoryTelemetry, type MemoryTelemetry } from './memory-telemetry.ts';

export const NOW_MS = Date.UTC(2026, 4, 1, 12);

export interface CallOptions {
  readonly token?: string;
  readonly apiKey?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the schema has checked it; tests look at single fields.
  readonly body: any;
}

export type TestSocket = Socket<ServerEvents, ClientEvents>;

export interface TestApi {
  readonly api: Api;
  readonly url: string;
  readonly clock: ManualClock;
  readonly catalog: TestCatalog;
  readonly log: Log;
  readonly store: MemoryTelemetry;
  readonly sandbox: MemoryTelemetry;
  /** Ids of the jobs whose sandbox was to be deleted. */
  readonly sandboxesRemoved: readonly string[];
  readonly bus: TestBus;
  readonly statuses: Map<string, DeviceConnectivity>;
  readonly deadLetters: DeadLetterItem[];
  /** What the parts say of themselves; change it to make one fail. */
  parts: Health[];
  stored: { partition: number; next: number }[];
  /** Awaited before each append, to hold one up or to make it fail. */
  beforeAppend: () => Promise<void>;
  appends: number;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** An access token of a new user. */
  tokenFor(organizationId: string, role: Role, siteIds?: readonly string[] | null): Promise<string>;
  connect(token: string): Promise<TestSocket>;
  /** The payloads in telemetry.raw, with the device that they came from. */
  logged(): Promise<{ deviceId: string; organizationId: string; codec: string; source: string; payload: unknown }[]>;
  stop(): Promise<void>;
}

export class TestBus {
  interest: LiveInterest = { devices: [], sites: [], organizations: [] };
  readonly #frames = new Set<(frame: LiveFrame) => void>();
  readonly #statuses = new Set<(update: DeviceStatusUpdate) => void>();
  readonly #events = new Set<Parameters<ApiDependencies['liveBus']['onEvent']>[0]>();

  readonly port: ApiDependencies['liveBus'] = {
    setInterest: (interest) => {
      this.interest = interest;
    },
    onFrame: (listener) => subscribe(this.#frames, listener),
    onDeviceStatus: (listener) => subscribe(this.#statuses, listener),
    onEvent: (listener) => subscribe(this.#events, listener),
  };

  frame(frame: LiveFrame): void {
    for (const listener of this.#frames) listener(frame);
  }

  status(update: DeviceStatusUpdate): void {
    for (const listener of this.#statuses) listener(update);
  }

  event(event: Parameters<Parameters<ApiDependencies['liveBus']['onEvent']>[0]>[0]): void {
    for (const listener of this.#events) listener(event);
  }

  get listenerCount(): number {
    return this.#frames.size + this.#statuses.size + this.#events.size;
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** With the catalog in memory, unless another one is handed in. */
export async function startApi(settings: Partial<ApiSettings> = {}, otherCatalog?: TestCatalog): Promise<TestApi> {
  const clock = new ManualClock(NOW_MS);
  const catalog = otherCatalog ?? createMemoryCatalog(clock);
  const log = createMemoryLog();
  const store = createMemoryTelemetry();
  const sandbox = createMemoryTelemetry();
  const bus = new TestBus();
  const metrics = new Metrics();
  const statuses = new Map<string, DeviceConnectivity>();
  const deadLetters: DeadLetterItem[] = [];
  const test = {
    parts: [{ name: 'pipeline', state: 'running', ready: true }] as Health[],
    stored: [] as { partition: number; next: number }[],
    beforeAppend: async () => {},
    appends: 0,
    sandboxesRemoved: [] as string[],
  };
  const api = await createApi({
    catalog,
    telemetry: store.telemetry,
    directory: catalog.directory,
    ingest: async (batch) => {
      test.appends += 1;
      await test.beforeAppend();
      return log.append('telemetry.raw', batch);
    },
    storedPositions: async () => test.stored,
    deadLetters: deadLetterAccess(deadLetters),
    sandboxes: {
      telemetryOf: () => sandbox.telemetry,
      remove: async (jobId) => void test.sandboxesRemoved.push(jobId),
    },
    liveBus: bus.port,
    deviceStatus: (deviceId) => statuses.get(deviceId) ?? null,
    directorySettled: async () => {},
    health: async () => test.parts,
    pipelineHealth: async () => IDLE_PIPELINE,
    metricsSnapshots: async () => [await metrics.snapshot()],
    mqttAddress: () => ({ host: null, port: 1883, tlsPort: null }),
    clock,
    logger: silentLogger,
    metrics,
    settings: {
      ...DEFAULT_API_SETTINGS,
      requestsPerMinute: { login: null, general: null, timeSeries: null, ingest: null },
      liveFrameIntervalMs: 10,
      ...settings,
    },
  });
  await api.start('127.0.0.1', 0);
  const url = `http://127.0.0.1:${api.address!.port}`;
  const sockets: TestSocket[] = [];
  const call = (method: string, path: string, options: CallOptions = {}): Promise<Answer> =>
    callApi(url, method, path, options);

  return Object.assign(test, {
    api,
    url,
    clock,
    catalog,
    log,
    store,
    sandbox,
    bus,
    statuses,
    deadLetters,
    call,
    tokenFor: async (organizationId: string, role: Role, siteIds: readonly string[] | null = null) => {
      const { email, password } = await catalog.addUser(organizationId, role, siteIds);
      const { body } = await call('POST', '/api/v1/auth/login', { body: { email, password } });
      return body.accessToken as string;
    },
    connect: async (token: string) => {
      const socket: TestSocket = io(url, {
        path: '/live',
        transports: ['websocket'],
        auth: { token },
        forceNew: true,
        reconnection: false,
      });
      sockets.push(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
      });
      return socket;
    },
    logged: async () => {
      const records = [];
      for (let at = 0, batch = await log.read('telemetry.raw', 0, at); batch !== null; ) {
        for (let index = 0; index < batch.count; index++) {
          const { deviceId, organizationId, codec, source } = originOf(batch, index);
          const payload: unknown = JSON.parse(new TextDecoder().decode(payloadOf(batch, index)));
          records.push({ deviceId, organizationId, codec, source, payload });
        }
        at = batch.firstPosition + batch.count;
        batch = await log.read('telemetry.raw', 0, at);
      }
      return records;
    },
    stop: async () => {
      for (const socket of sockets) socket.disconnect();
      await api.stop();
      await log.close();
    },
  });
}

const ROUTE_PATTERNS = listRoutes().map(({ route }) => ({
  route,
  pattern: new RegExp(`^${route.path.replace(/:[A-Za-z]+/g, '[^/]+')}$`),
  check: route.answer === null || route.mediaType !== undefined ? null : Compile(route.answer),
}));

async function callApi(url: string, method: string, path: string, options: CallOptions): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.apiKey === undefined ? {} : { 'x-api-key': options.apiKey }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const body = isJson ? JSON.parse(text) : text;
  if (response.ok && isJson) holdAgainstSchema(method, path, body);
  if (!response.ok && response.status !== 503) {
    const type = response.headers.get('content-type');
    if (type?.startsWith('application/problem+json') !== true) throw new Error(`${method} ${path}: ${type}: ${text}`);
    if (body.status !== response.status || typeof body.code !== 'string' || typeof body.detail !== 'string') {
      throw new Error(`${method} ${path} answered no problem: ${text}`);
    }
  }
  return { status: response.status, headers: response.headers, body };
}

function holdAgainstSchema(method: string, path: string, body: unknown): void {
  const pathname = path.split('?', 1)[0]!;
  const matching = ROUTE_PATTERNS.filter(({ route, pattern }) => route.method === method && pattern.test(pathname));
  const literal = matching.find(({ route }) => !route.path.includes(':')) ?? matching[0];
  if (literal === undefined || literal.check === null || literal.check.Check(body)) return;
  const errors = JSON.stringify(literal.check.Errors(body).slice(0, 5));
  throw new Error(`${method} ${path} answered what its schema does not say: ${errors}`);
}

function deadLetterAccess(items: DeadLetterItem[]): ApiDependencies['deadLetters'] {
  const own = (organizationId: string): DeadLetterItem[] =>
    items.filter((item) => item.organizationId === organizationId);
  return {
    list: async ({ organizationId, limit, code, deviceId }) => {
      const found = own(organizationId).filter(
        (item) => (code === undefined || item.code === code) && (deviceId === undefined || item.deviceId === deviceId),
      );
      return { items: found.slice(0, limit), nextCursor: null };
    },
    get: async (organizationId, id) => own(organizationId).find((item) => item.id === id) ?? null,
    replay: async ({ organizationId, select }) => {
      const known = own(organizationId).map(({ id }) => id);
      if ('filter' in select) return { replayed: known.length, notFound: [] };
      const notFound = select.ids.filter((id) => !known.includes(id));
      return { replayed: select.ids.length - notFound.length, notFound };
    },
  };
}

const IDLE_PIPELINE: Awaited<ReturnType<ApiDependencies['pipelineHealth']>> = {
  status: 'ok',
  problem: null,
  lagRecords: 0,
  lagSeconds: null,
  recordsPerSecond: 0,
  samplesPerSecond: 0,
  deadLettersPerSecond: 0,
  recordsTotal: 0,
  samplesTotal: 0,
  deadLettersTotal: 0,
  circuitBreaker: { state: 'closed', since: null, reason: null },
  lastStoredAt: null,
  log: [{ topic: 'telemetry.raw', records: 0, bytes: 0 }],
  store: { hotRows: 0, sealedRows: 0, sealedBytes: 0, sealedFiles: 0 },
};
