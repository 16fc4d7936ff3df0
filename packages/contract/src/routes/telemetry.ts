/** Reading telemetry: a device's range in pages, its latest values, and many series at once in columns for charts. */
import type { Quality as ModelQuality, Resolution } from '@fieldline/model';
import { type Static, Type } from 'typebox';
import { Id, IdOrKey, MetricKey, Nullable, OneOf, Shape, TimeInput, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';
import { DeviceStatus } from './devices.ts';

export const AGGREGATIONS = ['none', '1s', '10s', '1m', '5m', '1h', '1d', 'auto'] as const satisfies readonly (
  | Resolution
  | 'none'
  | 'auto'
)[];
export type Aggregation = (typeof AGGREGATIONS)[number];

export const Aggregation = OneOf(AGGREGATIONS, {
  description: 'none: samples as they came; auto: as fine as the range allows',
});
const QUALITIES = ['good', 'uncertain', 'bad'] as const satisfies readonly ModelQuality[];
export const Quality = OneOf(QUALITIES);
export type Quality = Static<typeof Quality>;

/** A sample's value: a number (booleans are 0 and 1) or a text. */
export const Value = Type.Union([Type.Number(), Type.String(), Type.Null()]);

const OnlyWhenSeveral = Type.Optional(Type.String({ description: 'Only where several metrics were asked for' }));

export const SamplePoint = Shape(
  { timestamp: Timestamp, metricKey: OnlyWhenSeveral, value: Value, quality: Quality },
  'SamplePoint',
);
export type SamplePoint = Static<typeof SamplePoint>;

export const BucketPoint = Shape(
  {
    timestamp: Type.String({ format: 'date-time', description: 'Start of the bucket' }),
    metricKey: OnlyWhenSeveral,
    avg: Nullable(Type.Number()),
    min: Nullable(Type.Number()),
    max: Nullable(Type.Number()),
    stddev: Nullable(Type.Number()),
    count: Type.Integer(),
    first: Nullable(Type.Number()),
    last: Nullable(Type.Number()),
    percentGood: Type.Number(),
  },
  'BucketPoint',
);
export type BucketPoint = Static<typeof BucketPoint>;

export const TelemetryPage = Shape(
  {
    deviceId: Id,
    metricKey: Nullable(Type.String({ description: 'null where the answer has several metrics' })),
    metricKeys: Type.Array(Type.String()),
    aggregation: Aggregation,
    startTime: Timestamp,
    endTime: Timestamp,
    data: Type.Union([Type.Array(SamplePoint), Type.Array(BucketPoint)]),
    count: Type.Integer(),
    nextCursor: Nullable(Type.String()),
  },
  'TelemetryPage',
);
export type TelemetryPage = Static<typeof TelemetryPage>;

export const LatestMetric = Shape(
  { value: Value, timestamp: Timestamp, quality: Quality, unit: Type.String() },
  'LatestMetric',
);
export type LatestMetric = Static<typeof LatestMetric>;

export const DeviceLatest = Shape(
  {
    deviceId: Id,
    metrics: Type.Record(Type.String(), LatestMetric),
    lastSeen: Nullable(Timestamp),
    status: DeviceStatus,
  },
  'DeviceLatest',
);
export type DeviceLatest = Static<typeof DeviceLatest>;

const Milliseconds = Type.Array(Type.Number({ description: 'Milliseconds since 1970, fractions are microseconds' }));
const Numbers = Type.Array(Nullable(Type.Number()));

export const SampleSeries = Shape(
  {
    kind: Type.Literal('samples'),
    deviceId: Id,
    metricKey: Type.String(),
    unit: Type.String(),
    timestamps: Milliseconds,
    values: Type.Array(Value),
    quality: Type.Array(Type.Integer({ description: 'OPC: 192 good, 64 uncertain, 0 bad' })),
  },
  'SampleSeries',
);
export type SampleSeries = Static<typeof SampleSeries>;

export const BucketSeries = Shape(
  {
    kind: Type.Literal('buckets'),
    deviceId: Id,
    metricKey: Type.String(),
    unit: Type.String(),
    timestamps: Milliseconds,
    avg: Numbers,
    min: Numbers,
    max: Numbers,
    stddev: Numbers,
    count: Type.Array(Type.Integer()),
    first: Numbers,
    last: Numbers,
    percentGood: Type.Array(Type.Number()),
  },
  'BucketSeries',
);
export type BucketSeries = Static<typeof BucketSeries>;

export const SeriesAnswer = Shape(
  {
    startTime: Timestamp,
    endTime: Timestamp,
    aggregation: Aggregation,
    series: Type.Array(Type.Union([SampleSeries, BucketSeries])),
  },
  'SeriesAnswer',
);
export type SeriesAnswer = Static<typeof SeriesAnswer>;

/** Instead of the live store: the sandbox that a replay has filled. Its samples are there as soon as they are written. */
const Sandbox = Type.Unsafe<string>({ ...Id, description: 'Id of a replay into a sandbox; absent: the live store' });

export const SeriesQuestion = Shape(
  {
    startTime: TimeInput,
    endTime: Type.Optional(TimeInput),
    series: Type.Array(Shape({ deviceId: IdOrKey, metricKey: MetricKey }), { minItems: 1, maxItems: 100 }),
    aggregation: Type.Optional(Aggregation),
    points: Type.Optional(
      Type.Integer({
        minimum: 10,
        maximum: 10_000,
        default: 1000,
        description:
          'Points a series. With aggregation none the range is reduced to about so many, every minimum and maximum kept; with auto the finest resolution that fits is chosen',
      }),
    ),
    timeZone: Type.Optional(Type.String({ maxLength: 64, description: 'IANA name; days start at its midnight' })),
    sandbox: Type.Optional(Sandbox),
  },
  'SeriesQuestion',
);
export type SeriesQuestion = Static<typeof SeriesQuestion>;

const deviceParams = Shape({ deviceId: IdOrKey });

export const telemetry = routeGroup({
  device: {
    method: 'GET',
    path: '/api/v1/telemetry/device/:deviceId',
    summary: "A range of a device's telemetry: samples, or roll-ups",
    params: deviceParams,
    query: Shape({
      metricKey: Type.Optional(
        Type.Union([Type.String({ maxLength: 8192 }), Type.Array(MetricKey, { maxItems: 100 })], {
          description: 'One, or several (repeated or separated by commas); absent: all metrics of the device',
        }),
      ),
      startTime: Type.Optional(TimeInput),
      endTime: Type.Optional(TimeInput),
      aggregation: Type.Optional(Aggregation),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
      cursor: Type.Optional(Type.String({ maxLength: 1024 })),
      timeZone: Type.Optional(Type.String({ maxLength: 64 })),
      sandbox: Type.Optional(Sandbox),
    }),
    status: 200,
    answer: TelemetryPage,
    permission: 'telemetry:read',
    limit: 'timeSeries',
  },
  latest: {
    method: 'GET',
    path: '/api/v1/telemetry/device/:deviceId/latest',
    summary: 'The newest value of each metric of a device',
    params: deviceParams,
    query: Shape({ sandbox: Type.Optional(Sandbox) }),
    status: 200,
    answer: DeviceLatest,
    permission: 'telemetry:read',
    limit: 'timeSeries',
  },
  query: {
    method: 'POST',
    path: '/api/v1/telemetry/query',
    summary: 'Several series of several devices in columns, reduced to what a chart needs',
    body: SeriesQuestion,
    status: 200,
    answer: SeriesAnswer,
    permission: 'telemetry:read',
    limit: 'timeSeries',
  },
  robot: {
    method: 'GET',
    path: '/api/v1/robots/:deviceId/telemetry',
    summary: 'The same range by the parameter names of robot fleets',
    params: deviceParams,
    query: Shape({
      sensor_type: Type.Optional(
        Type.String({
          maxLength: 256,
          description: 'A metric key, or the part before its first dot: all metrics of a sensor',
        }),
      ),
      from: Type.Optional(TimeInput),
      to: Type.Optional(TimeInput),
      resolution: Type.Optional(OneOf(['raw', '1s', '10s', '1min', '5min', '1h', '1d', 'auto'])),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
      cursor: Type.Optional(Type.String({ maxLength: 1024 })),
    }),
    status: 200,
    answer: TelemetryPage,
    permission: 'telemetry:read',
    limit: 'timeSeries',
  },
});
