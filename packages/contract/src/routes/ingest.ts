/** Telemetry over HTTP. The answer comes after everything is durable; the receipt tells how far it has come. */
import { type Static, Type } from 'typebox';
import { Id, OneOf, Shape, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

/** Readings in one request, and bytes of its body. */
export const READINGS_MAX = 10_000;
export const INGEST_BODY_BYTES_MAX = 1024 * 1024;

const Name = Type.String({ minLength: 1, maxLength: 128 });
const Metric = Type.String({ minLength: 1, maxLength: 256 });
const Time = Type.Union([Type.Number(), Type.String({ maxLength: 40 })], {
  description: 'ISO 8601 or milliseconds since 1970; absent: when it was received',
});

export const Reading = Type.Object(
  {
    deviceId: Type.Optional(Name),
    equipmentId: Type.Optional(Name),
    metricKey: Type.Optional(Metric),
    sensorType: Type.Optional(Metric),
    value: Type.Union([Type.Number(), Type.String({ maxLength: 4096 }), Type.Boolean()]),
    unit: Type.Optional(Type.String({ maxLength: 64 })),
    timestamp: Type.Optional(Time),
    quality: Type.Optional(Type.Union([Type.String({ maxLength: 16 }), Type.Number()])),
  },
  { title: 'Reading', description: 'deviceId (or equipmentId) and metricKey (or sensorType) are needed' },
);
export type Reading = Static<typeof Reading>;

export const DeviceMessage = Type.Object(
  {
    deviceId: Name,
    ts: Type.Optional(Time),
    metrics: Type.Record(Type.String(), Type.Unknown()),
  },
  { title: 'DeviceMessage', description: 'What a device would send over MQTT, with its id' },
);
export type DeviceMessage = Static<typeof DeviceMessage>;

export const SensorData = Type.Union([
  Type.Object({ readings: Type.Array(Reading, { minItems: 1, maxItems: READINGS_MAX }) }),
  DeviceMessage,
  Type.Array(DeviceMessage, { minItems: 1, maxItems: READINGS_MAX }),
  Reading,
]);
export type SensorData = Static<typeof SensorData>;

/** Who the readings come from, where it is not a machine's own report; kept with every raw record. */
export const IngestHeaders = Type.Object({
  'x-fieldline-source': Type.Optional(
    OneOf(['import', 'simulator'], {
      description: 'import: a file loaded as history (unknown devices are refused); simulator: made up. Absent: http',
    }),
  ),
});

export const Receipt = Shape(
  {
    receiptId: Type.String(),
    status: Type.Union([Type.Literal('accepted'), Type.Literal('processed')], {
      description: 'accepted: durable; processed: stored, or among the dead letters',
    }),
    organizationId: Id,
    receivedAt: Timestamp,
    readings: Type.Integer({ description: 'How many readings the request had' }),
    statusUrl: Type.String(),
  },
  'Receipt',
);
export type Receipt = Static<typeof Receipt>;

export const ingest = routeGroup({
  sensorData: {
    method: 'POST',
    path: '/api/v1/webhook/sensor-data',
    summary: 'Readings of one or many devices; 202 after they are durable (X-API-Key with the scope ingest)',
    headers: IngestHeaders,
    body: SensorData,
    status: 202,
    answer: Receipt,
    permission: 'ingest',
    limit: 'ingest',
    bodyBytesMax: INGEST_BODY_BYTES_MAX,
  },
  status: {
    method: 'GET',
    path: '/api/v1/webhook/status/:receiptId',
    summary: 'How far the readings of a receipt have come',
    params: Shape({ receiptId: Type.String({ minLength: 1, maxLength: 4096 }) }),
    status: 200,
    answer: Receipt,
    permission: 'ingest',
    limit: 'ingest',
  },
});
