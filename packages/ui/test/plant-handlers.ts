/** What the made-up plant answers to each route of the contract that the UI asks. State lives as long as the server. */
import type { ServerResponse } from 'node:http';
import {
  type ApiKey,
  type DeadLetter,
  type Device,
  type Organization,
  PERMISSIONS,
  type SeriesQuestion,
} from '@fieldline/contract';
import type { Body } from '@fieldline/contract/client';
import { METRICS, makeDevices, makeEvents, ORGANIZATION_ID, SITES, uuid, valueAt } from './plant.ts';
import { answerQuery } from './telemetry.ts';

export const EMAIL = 'plant@example.org';
export const PASSWORD = 'plant-password';
const CREATED = '2026-02-03T08:15:00.000Z';
const DEVICE_TOKEN = 'fld_9yQ2vT7mKx4LrB0nWc8JhZsE3aUgPd61';

export interface Call {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Held against the contract's schema before. */
  readonly body: unknown;
  readonly cookie: string;
  readonly response: ServerResponse;
}
type Handler = (call: Call) => unknown;

/** An answer that is not a success. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Plant {
  accessToken: string;
  devices: Device[];
  letters: DeadLetter[];
  keys: ApiKey[];
  organization: Organization;
  /** Queries for telemetry that came in. */
  questions: SeriesQuestion[];
  storeIsDown: boolean;
}

export function createHandlers(deviceCount: number): { handlers: Record<string, Handler>; plant: Plant } {
  const now = Date.now();
  const plant: Plant = {
    accessToken: 'access-1',
    devices: makeDevices(deviceCount, now),
    letters: makeLetters(now),
    keys: [makeKey('Line 3 gateway', 0, ['ingest']), makeKey('Grafana', 1, ['telemetry:read', 'devices:read'])],
    organization: {
      id: ORGANIZATION_ID,
      organizationId: ORGANIZATION_ID,
      createdAt: CREATED,
      updatedAt: CREATED,
      version: 1,
      slug: 'nordwerk',
      name: 'Nordwerk GmbH',
      autoRegistration: false,
    },
    questions: [],
    storeIsDown: false,
  };
  const handlers: Record<string, Handler> = {
    ...sessionHandlers(plant),
    ...deviceHandlers(plant),
    ...telemetryHandlers(plant),
    ...pipelineHandlers(plant),
    ...settingsHandlers(plant),
  };
  return { handlers, plant };
}

function sessionHandlers(plant: Plant): Record<string, Handler> {
  const me = () => ({
    id: uuid(9, 1),
    organizationId: ORGANIZATION_ID,
    email: EMAIL,
    name: 'Anna Berger',
    role: 'admin' as const,
    siteIds: null,
    permissions: [...PERMISSIONS],
    organization: { id: ORGANIZATION_ID, slug: plant.organization.slug, name: plant.organization.name },
  });
  const enter = (response: ServerResponse) => {
    plant.accessToken = `access-${Number(plant.accessToken.slice(7)) + 1}`;
    response.setHeader('set-cookie', 'fieldline_refresh=yes; HttpOnly; SameSite=Strict; Path=/api/v1/auth');
    const expiresAt = new Date(Date.now() + 900_000).toISOString();
    return { accessToken: plant.accessToken, tokenType: 'Bearer', expiresIn: 900, expiresAt, user: me() };
  };
  return {
    'auth.login': ({ body, response }) => {
      const { email, password } = body as Body<'auth', 'login'>;
      if (email !== EMAIL || password !== PASSWORD) throw new Refusal(401, 'UNAUTHORIZED', 'not right');
      return enter(response);
    },
    'auth.refresh': ({ cookie, response }) => {
      if (!cookie.includes('fieldline_refresh=yes')) throw new Refusal(401, 'UNAUTHORIZED', 'no refresh token');
      return enter(response);
    },
    'auth.logout': ({ response }) => {
      response.setHeader('set-cookie', 'fieldline_refresh=; Max-Age=0; HttpOnly; Path=/api/v1/auth');
      return undefined;
    },
    'auth.me': me,
  };
}

function deviceHandlers(plant: Plant): Record<string, Handler> {
  const find = (id: string | undefined): Device => {
    const device = plant.devices.find((one) => one.id === id || one.key === id);
    if (device === undefined) throw new Refusal(404, 'NOT_FOUND', `device ${id} is not known`);
    return device;
  };
  return {
    'devices.list': ({ query }) => {
      const search = (query.search ?? '').toLowerCase();
      const wanted = plant.devices
        .filter((device) => query.status === undefined || device.status === query.status)
        .filter((device) => query.kind === undefined || device.kind === query.kind)
        .filter((device) => query.siteId === undefined || device.siteId === query.siteId)
        .filter((device) => `${device.name} ${device.key} ${device.serialNumber}`.toLowerCase().includes(search));
      const key = query.sort === 'lastSeen' ? 'lastSeen' : query.sort === 'status' ? 'status' : 'name';
      const collator = new Intl.Collator('en', { numeric: true });
      if (key !== 'name') wanted.sort((left, right) => collator.compare(String(left[key]), String(right[key])));
      if (query.order === 'desc') wanted.reverse();
      const limit = Number(query.limit ?? 50);
      const offset = Number(query.offset ?? 0);
      return { items: wanted.slice(offset, offset + limit), total: wanted.length, limit, offset };
    },
    'devices.counts': () => {
      const count = (status: string): number => plant.devices.filter((device) => device.status === status).length;
      return { online: count('online'), offline: count('offline'), unknown: count('unknown') };
    },
    'devices.get': ({ params }) => find(params.deviceId),
    'devices.create': ({ body }) => {
      const asked = body as Body<'devices', 'create'>;
      const id = uuid(2, plant.devices.length);
      const device: Device = { ...plant.devices[1]!, key: id, ...asked, id, status: 'unknown' };
      Object.assign(device, { lastSeen: null, statusSince: null });
      plant.devices.unshift(device);
      return { device, token: DEVICE_TOKEN, connect: connectInfo(device) };
    },
    'devices.patch': ({ params, body }) => {
      const { version, ...change } = body as Body<'devices', 'patch'>;
      const device = find(params.deviceId);
      if (version !== undefined && version !== device.version) throw new Refusal(409, 'CONFLICT', 'changed meanwhile');
      return Object.assign(device, change, { version: device.version + 1 });
    },
    'devices.delete': ({ params }) => {
      plant.devices.splice(plant.devices.indexOf(find(params.deviceId)), 1);
    },
    'devices.rotateToken': ({ params }) => {
      const device = find(params.deviceId);
      return { device, token: DEVICE_TOKEN, connect: connectInfo(device) };
    },
    'devices.revokeToken': ({ params }) => {
      find(params.deviceId).hasToken = false;
    },
    'devices.connect': ({ params }) => connectInfo(find(params.deviceId)),
    'devices.metrics': ({ params }) => {
      const device = find(params.deviceId);
      return { deviceId: device.id, items: device.status === 'unknown' ? [] : METRICS };
    },
    'sites.list': () => ({ items: SITES, total: SITES.length, limit: 1000, offset: 0 }),
    'events.list': ({ query }) => {
      const events = makeEvents(Date.now());
      const items = events.filter((event) => query.subjectId === undefined || event.subjectId === query.subjectId);
      return { items, nextCursor: null };
    },
  };
}

function connectInfo(device: Device) {
  return {
    mqtt: { host: '127.0.0.1', port: 1883, tlsPort: null, username: device.id, clientId: device.key },
    topics: {
      telemetry: `v1/telemetry/${ORGANIZATION_ID}/${device.id}`,
      protobuf: `robots/${device.id}/sensors/{sensorType}/data`,
    },
    http: { url: 'http://127.0.0.1:3000/api/v1/webhook/sensor-data', header: 'X-API-Key' },
    examplePayload: '{"metrics":{"temperature":25.5,"vibration":0.42}}',
  };
}

function telemetryHandlers(plant: Plant): Record<string, Handler> {
  return {
    'telemetry.query': ({ body }) => {
      const question = body as SeriesQuestion;
      plant.questions.push(question);
      if (plant.storeIsDown) throw new Refusal(503, 'STORE_UNAVAILABLE', 'store: cannot be reached; try again');
      return answerQuery(question, Date.now());
    },
    'telemetry.latest': ({ params }) => {
      const now = Date.now() - 400;
      const metrics = METRICS.map(({ metricKey, unit, valueKind }) => [
        metricKey,
        {
          value: valueKind === 'text' ? 'RUNNING' : valueAt(metricKey, now),
          timestamp: new Date(valueKind === 'number' ? now : now - 340_000).toISOString(),
          quality: metricKey === 'power' ? 'uncertain' : metricKey === 'protective_stop' ? 'bad' : 'good',
          unit,
        },
      ]);
      return {
        deviceId: params.deviceId,
        metrics: Object.fromEntries(metrics),
        lastSeen: new Date(now).toISOString(),
        status: 'online',
      };
    },
  };
}

function pipelineHandlers(plant: Plant): Record<string, Handler> {
  return {
    'pipeline.health': () => {
      const wave = Math.sin(Date.now() / 9000);
      return {
        status: 'ok',
        problem: null,
        lag: { records: Math.round(180 + 90 * wave), seconds: 0.04 },
        rates: {
          recordsPerSecond: 12_480 + 900 * wave,
          samplesPerSecond: 124_800 + 9000 * wave,
          deadLettersPerSecond: 0.4,
        },
        totals: { records: 81_204_113, samples: 812_041_130, deadLetters: 214 },
        circuitBreaker: { state: 'closed', since: null, reason: null },
        lastStoredAt: new Date(Date.now() - 60).toISOString(),
        log: [
          { topic: 'telemetry.raw', records: 81_204_113, bytes: 24_361_233_920 },
          { topic: 'events', records: 41_220, bytes: 9_120_400 },
          { topic: 'dead.letters', records: 214, bytes: 88_210 },
        ],
        store: { hotRows: 9_120_443, sealedRows: 802_920_687, sealedBytes: 1_284_673_099, sealedFiles: 212 },
      };
    },
    'health.ready': () => ({
      status: 'ready',
      notReady: [],
      parts: ['log', 'catalog', 'store', 'pipeline', 'api', 'broker'].map((name) => ({
        name,
        state: 'running',
        ready: true,
      })),
    }),
    'deadLetters.list': ({ query }) => ({
      items: plant.letters
        .filter((letter) => query.code === undefined || letter.code === query.code)
        .filter((letter) => query.deviceId === undefined || letter.deviceId === query.deviceId)
        .map(({ payload: _payload, ...letter }) => letter),
      nextCursor: null,
    }),
    'deadLetters.get': ({ params }) => {
      const letter = plant.letters.find((one) => one.id === params.deadLetterId);
      if (letter === undefined) throw new Refusal(404, 'NOT_FOUND', 'no such letter');
      return letter;
    },
    'deadLetters.replay': ({ body }) => {
      const { ids } = body as { ids: string[] };
      for (const letter of plant.letters) {
        if (ids.includes(letter.id)) letter.replayedAt = new Date().toISOString();
      }
      return { replayed: ids.length, notFound: [] };
    },
  };
}

function makeLetters(now: number): DeadLetter[] {
  const kinds = [
    [
      'PAYLOAD_NOT_DECODABLE',
      'json: expected a number at metrics.temperature, got "n/a"; send numbers or leave it out',
      '{"ts":1706370000000,"metrics":{"temperature":"n/a","vibration":0.42}}',
    ],
    [
      'DEVICE_UNKNOWN',
      'device "press-9" is not registered; create it, or turn auto-registration on',
      '{"metrics":{"pressure":4.2}}',
    ],
    [
      'SOURCE_TIME_IN_FUTURE',
      'source time is 3 h ahead of the received time; set the clock of the device',
      '{"ts":1906370000000,"metrics":{"temperature":25.5}}',
    ],
    [
      'PAYLOAD_NOT_DECODABLE',
      'protobuf: field 3 ends after the message; was it cut off?',
      '\u0000\u0012\u0005\u0001broken\u0000\u0003',
    ],
  ] as const;
  return Array.from({ length: 34 }, (_, index) => {
    const [code, message, payload] = kinds[index % kinds.length]!;
    const time = new Date(now - 40_000 - index * index * 61_000).toISOString();
    const partial = index % 4 === 0;
    return {
      id: `0-${9000 - index}`,
      organizationId: ORGANIZATION_ID,
      createdAt: time,
      updatedAt: time,
      receivedTime: time,
      code,
      message,
      topic: `v1/telemetry/nordwerk/press-${index % 9}`,
      deviceId: `press-${index % 9}`,
      codec: index % 4 === 3 ? 'protobuf' : 'json',
      source: 'mqtt',
      partial,
      rejections: partial
        ? [{ metric: 'temperature', code: 'VALUE_NOT_NUMBER', message: 'expected a number, got "n/a"' }]
        : [],
      byteLength: payload.length,
      preview: payload.slice(0, 64),
      payload: Buffer.from(payload).toString('base64'),
      replayedAt: index === 5 ? time : null,
    };
  });
}

function makeKey(name: string, index: number, scopes: string[]): ApiKey {
  return {
    id: uuid(5, index),
    organizationId: ORGANIZATION_ID,
    createdAt: CREATED,
    updatedAt: CREATED,
    name,
    prefix: `flk_${index}aB`,
    scopes,
    siteIds: null,
    expiresAt: null,
    lastUsedAt: new Date(Date.now() - 120_000 * (index + 1)).toISOString(),
    revokedAt: null,
  };
}

function settingsHandlers(plant: Plant): Record<string, Handler> {
  return {
    'organization.get': () => plant.organization,
    'organization.patch': ({ body }) =>
      Object.assign(plant.organization, body, { version: plant.organization.version + 1 }),
    'apiKeys.list': () => ({ items: plant.keys, total: plant.keys.length, limit: 1000, offset: 0 }),
    'apiKeys.create': ({ body }) => {
      const { name, scopes, expiresAt = null } = body as Body<'apiKeys', 'create'>;
      const apiKey = { ...makeKey(name, plant.keys.length, scopes), lastUsedAt: null, expiresAt };
      plant.keys.unshift(apiKey);
      return { apiKey, key: 'flk_2aB-7dJm0QxVw3uYt5RkZs8nEcLhPq' };
    },
    'apiKeys.revoke': ({ params }) => {
      plant.keys.find((key) => key.id === params.apiKeyId)!.revokedAt = new Date().toISOString();
    },
  };
}
