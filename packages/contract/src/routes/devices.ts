/** Devices: robots, PLCs, sensors, gateways; their tokens, their metrics, and how they connect. */
import type { DeviceLifecycle, DeviceKind as ModelDeviceKind } from '@fieldline/model';
import { type Static, Type } from 'typebox';
import {
  Id,
  IdOrKey,
  JsonObject,
  MetricKey,
  Nullable,
  OneOf,
  Page,
  pageQuery,
  Resource,
  Shape,
  Timestamp,
} from '../common.ts';
import { routeGroup } from '../route.ts';

const DEVICE_KINDS = [
  'robot',
  'plc',
  'sensor',
  'gateway',
  'machine',
  'other',
] as const satisfies readonly ModelDeviceKind[];
const LIFECYCLES = ['pending', 'active', 'decommissioned'] as const satisfies readonly DeviceLifecycle[];

export const DeviceKind = OneOf(DEVICE_KINDS);
export const Lifecycle = OneOf(LIFECYCLES);
export const DeviceStatus = OneOf(['online', 'offline', 'unknown'], { description: 'unknown: has never connected' });
export type DeviceStatus = Static<typeof DeviceStatus>;

export const Device = Resource('Device', {
  version: Type.Integer({ description: 'Grows with every change; send it along to guard against lost updates' }),
  key: Type.String({ description: 'What the device is called on the wire beside its id' }),
  name: Type.String(),
  kind: DeviceKind,
  siteId: Nullable(Id),
  gatewayId: Nullable(Id),
  lifecycle: Lifecycle,
  serialNumber: Nullable(Type.String()),
  attributes: JsonObject,
  tags: Type.Array(Type.String()),
  hasToken: Type.Boolean(),
  status: DeviceStatus,
  statusSince: Nullable(Timestamp),
  lastSeen: Nullable(Timestamp),
});
export type Device = Static<typeof Device>;

const changes = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  key: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$', description: 'Default: the id' }),
  kind: DeviceKind,
  siteId: Nullable(Id),
  gatewayId: Nullable(Id),
  lifecycle: Lifecycle,
  serialNumber: Nullable(Type.String({ maxLength: 200 })),
  attributes: JsonObject,
  tags: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 64 }),
};

export const ConnectInfo = Shape(
  {
    mqtt: Shape({
      host: Type.String(),
      port: Nullable(Type.Integer({ description: 'Without TLS; null = not open' })),
      tlsPort: Nullable(Type.Integer()),
      username: Type.String({ description: 'The device id; the password is its token' }),
      clientId: Type.String(),
    }),
    topics: Shape({
      telemetry: Type.String(),
      protobuf: Type.String({ description: 'Fill in {sensorType}' }),
    }),
    http: Shape({
      url: Type.String(),
      header: Type.String({ description: 'Carries an API key with the scope ingest' }),
    }),
    examplePayload: Type.String({ description: 'JSON as the device would send it' }),
  },
  'ConnectInfo',
);
export type ConnectInfo = Static<typeof ConnectInfo>;

export const DeviceWithToken = Shape(
  { device: Device, token: Type.String({ description: 'Shown this once' }), connect: ConnectInfo },
  'DeviceWithToken',
);
export type DeviceWithToken = Static<typeof DeviceWithToken>;

export const DeviceMetric = Shape(
  {
    metricKey: MetricKey,
    valueKind: Type.Union([Type.Literal('number'), Type.Literal('boolean'), Type.Literal('text')]),
    unit: Type.String({ description: "UCUM code of the stored values; '' = not known" }),
    sourceUnit: Type.String({ description: "UCUM code in which the device sends; '' = as stored" }),
    scale: Type.Number(),
    offset: Type.Number(),
    minimum: Nullable(Type.Number()),
    maximum: Nullable(Type.Number()),
    metadata: JsonObject,
  },
  'DeviceMetric',
);
export type DeviceMetric = Static<typeof DeviceMetric>;

const deviceParams = Shape({ deviceId: IdOrKey });

export const devices = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/devices',
    summary: 'Devices with their live status',
    query: Shape({
      ...pageQuery,
      search: Type.Optional(Type.String({ maxLength: 200, description: 'Part of name, key or serial number' })),
      status: Type.Optional(DeviceStatus),
      kind: Type.Optional(DeviceKind),
      lifecycle: Type.Optional(Lifecycle),
      siteId: Type.Optional(Id),
      gatewayId: Type.Optional(Id),
      tag: Type.Optional(Type.String({ maxLength: 64 })),
      sort: Type.Optional(OneOf(['name', 'key', 'createdAt', 'updatedAt', 'lastSeen', 'status'])),
      order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
    }),
    status: 200,
    answer: Page(Device),
    permission: 'devices:read',
    limit: 'general',
  },
  counts: {
    method: 'GET',
    path: '/api/v1/devices/counts',
    summary: 'Devices by live status',
    status: 200,
    answer: Shape({ online: Type.Integer(), offline: Type.Integer(), unknown: Type.Integer() }),
    permission: 'devices:read',
    limit: 'general',
  },
  create: {
    method: 'POST',
    path: '/api/v1/devices',
    summary: 'Register a device; its token is shown this once',
    body: Shape({ ...Type.Partial(Type.Object(changes)).properties, name: changes.name }),
    status: 201,
    answer: DeviceWithToken,
    permission: 'devices:write',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/devices/:deviceId',
    summary: 'One device, by id or key',
    params: deviceParams,
    status: 200,
    answer: Device,
    permission: 'devices:read',
    limit: 'general',
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/devices/:deviceId',
    summary: 'Change a device',
    params: deviceParams,
    body: Shape({
      ...Type.Partial(Type.Object(changes)).properties,
      version: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Refused with CONFLICT where it is not the stored one' }),
      ),
    }),
    status: 200,
    answer: Device,
    permission: 'devices:write',
    limit: 'general',
  },
  delete: {
    method: 'DELETE',
    path: '/api/v1/devices/:deviceId',
    summary: 'Remove a device; its stored telemetry keeps its meaning',
    params: deviceParams,
    status: 204,
    answer: null,
    permission: 'devices:write',
    limit: 'general',
  },
  rotateToken: {
    method: 'POST',
    path: '/api/v1/devices/:deviceId/token',
    summary: 'Replace the token; the old one is worth nothing from now on',
    params: deviceParams,
    status: 200,
    answer: DeviceWithToken,
    permission: 'devices:secrets',
    limit: 'general',
  },
  revokeToken: {
    method: 'DELETE',
    path: '/api/v1/devices/:deviceId/token',
    summary: 'Take the token away; the live session ends',
    params: deviceParams,
    status: 204,
    answer: null,
    permission: 'devices:secrets',
    limit: 'general',
  },
  connect: {
    method: 'GET',
    path: '/api/v1/devices/:deviceId/connect',
    summary: 'Addresses, names and topics with which this device connects',
    params: deviceParams,
    status: 200,
    answer: ConnectInfo,
    permission: 'devices:read',
    limit: 'general',
  },
  metrics: {
    method: 'GET',
    path: '/api/v1/devices/:deviceId/metrics',
    summary: 'The metrics that the device has sent, with unit and scaling',
    params: deviceParams,
    status: 200,
    answer: Shape({ deviceId: Id, items: Type.Array(DeviceMetric) }),
    permission: 'telemetry:read',
    limit: 'general',
  },
  patchMetric: {
    method: 'PATCH',
    path: '/api/v1/devices/:deviceId/metrics/:metricKey',
    summary: 'Change unit, scaling or bounds of a metric; stored samples stay as they are',
    params: Shape({ deviceId: IdOrKey, metricKey: MetricKey }),
    body: Type.Partial(Type.Omit(DeviceMetric, ['metricKey', 'valueKind']), { additionalProperties: false }),
    status: 200,
    answer: DeviceMetric,
    permission: 'devices:write',
    limit: 'general',
  },
});
