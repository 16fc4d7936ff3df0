/** Reading telemetry: pages of a device's range, its latest values, and columns for charts. */
import type { Aggregation, DeviceLatest, TelemetryPage } from '@fieldline/contract';
import { MICROS_PER_HOUR, type Micros, microsToIso, qualityOf, type Resolution } from '@fieldline/model';
import type { Telemetry } from '../../dependencies.ts';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { type Principal, scopeOf } from '../../principal.ts';
import { badRequest, isoOrNull, parseTime } from '../../text.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { orNull, readPage } from './read-page.ts';
import { readSeries } from './read-series.ts';
import { autoForChart, autoForPage, bucketCount, checkTimeZone } from './resolution.ts';
import { telemetryOf } from './sandbox.ts';
import { keysOfSensor, parseMetricKeys, seriesOfDevice, visibleDevice } from './visible-series.ts';

/** Range where the caller names no start. */
const DEFAULT_SPAN = MICROS_PER_HOUR;
const POINTS_DEFAULT = 1000;
/** Points of one answer in columns, over all series: what is more would hold up everybody else. */
const CHART_POINTS_MAX = 200_000;
const RESOLUTION_OF_ROBOTS: Readonly<Record<string, Aggregation>> = { raw: 'none', '1min': '1m', '5min': '5m' };

type Device = Awaited<ReturnType<typeof visibleDevice>>;

interface RangeRequest {
  readonly metricKeys: string[] | null;
  readonly range: { readonly from: Micros; readonly to: Micros };
  readonly aggregation: Aggregation;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly timeZone: string | undefined;
  readonly telemetry: Telemetry;
}

export function telemetryHandlers(context: ApiContext): GroupHandlers<'telemetry'> {
  return {
    device: async ({ params, query, principal, catalog }) => {
      const telemetry = await telemetryOf(context, catalog, query.sandbox);
      const device = await visibleDevice(context, principal, params.deviceId);
      return readRange(context, principal, device, {
        metricKeys: parseMetricKeys(context, device, query.metricKey),
        range: parseRange(context, query.startTime, query.endTime, 'query/startTime', 'query/endTime'),
        aggregation: query.aggregation ?? 'none',
        limit: query.limit ?? POINTS_DEFAULT,
        cursor: query.cursor,
        timeZone: query.timeZone,
        telemetry,
      });
    },

    robot: async ({ params, query, principal }) => {
      const device = await visibleDevice(context, principal, params.deviceId);
      const { sensor_type: sensorType, resolution = 'raw' } = query;
      return readRange(context, principal, device, {
        metricKeys: sensorType === undefined ? null : keysOfSensor(context, device, sensorType),
        range: parseRange(context, query.from, query.to, 'query/from', 'query/to'),
        aggregation: RESOLUTION_OF_ROBOTS[resolution] ?? (resolution as Aggregation),
        limit: query.limit ?? POINTS_DEFAULT,
        cursor: query.cursor,
        timeZone: undefined,
        telemetry: context.telemetry,
      });
    },

    latest: async ({ params, query, principal, catalog }) => {
      const telemetry = await telemetryOf(context, catalog, query.sandbox);
      const device = await visibleDevice(context, principal, params.deviceId);
      const known = [...(context.directory.seriesOf(device.id)?.values() ?? [])];
      const byId = new Map(known.map((series) => [series.id, series]));
      const samples = known.length === 0 ? [] : await telemetry.latest([...byId.keys()]);
      // Without a prototype: a metric may be called __proto__.
      const metrics: DeviceLatest['metrics'] = Object.create(null);
      for (const { seriesId, value, text, sourceTime, quality } of samples) {
        const series = byId.get(seriesId)!;
        metrics[series.metricKey] = {
          value: text ?? orNull(value),
          timestamp: microsToIso(sourceTime),
          quality: qualityOf(quality),
          unit: series.unit,
        };
      }
      const live = context.deviceStatus(device.id);
      const complete = live !== null && live.status !== 'unknown' && live.lastSeen !== null;
      const row = complete ? null : await catalog.devices.get(device.id);
      const newest = samples.reduce((time, sample) => Math.max(time, sample.receivedTime), 0);
      const lastSeen = Math.max(live?.lastSeen ?? 0, row?.lastSeen ?? 0, newest);
      return {
        deviceId: device.id,
        metrics,
        lastSeen: isoOrNull(lastSeen === 0 ? null : lastSeen),
        status: live === null || live.status === 'unknown' ? (row?.connectivityStatus ?? 'unknown') : live.status,
      };
    },

    query: async ({ body, principal, catalog }) => {
      const telemetry = await telemetryOf(context, catalog, body.sandbox);
      const range = parseRange(context, body.startTime, body.endTime, 'body/startTime', 'body/endTime');
      const points = Math.min(body.points ?? POINTS_DEFAULT, Math.floor(CHART_POINTS_MAX / body.series.length));
      const asked = body.aggregation ?? 'auto';
      const span = range.to - range.from;
      const aggregation = asked === 'auto' ? autoForChart(span, points) : asked;
      if (asked !== 'auto' && asked !== 'none') refuseTooMany(bucketCount(span, asked) * body.series.length);
      const series = await Promise.all(
        body.series.map(async ({ deviceId, metricKey }) => {
          const device = await visibleDevice(context, principal, deviceId);
          const [found = null] = seriesOfDevice(context, device, [metricKey]);
          return { deviceId: device.id, metricKey, series: found };
        }),
      );
      const timeZone = checkTimeZone(body.timeZone ?? 'UTC', 'body/timeZone');
      return {
        startTime: microsToIso(range.from),
        endTime: microsToIso(range.to),
        aggregation,
        series: await readSeries(telemetry, { asked: series, ...range, aggregation, points, timeZone }),
      };
    },
  };
}

function refuseTooMany(buckets: number): void {
  if (buckets <= CHART_POINTS_MAX) return;
  throw badRequest('body/aggregation', `gives about ${buckets} points, ${CHART_POINTS_MAX} is the limit; ask for auto`);
}

async function readRange(
  context: ApiContext,
  principal: Principal,
  device: Device,
  request: RangeRequest,
): Promise<TelemetryPage> {
  const { limit } = request;
  const cursor = request.cursor === undefined ? null : decodeCursor(request.cursor);
  const range = { from: request.range.from, to: cursor?.to ?? request.range.to };
  const aggregation =
    cursor?.aggregation ??
    (request.aggregation === 'auto' ? autoForPage(range.to - range.from, limit) : request.aggregation);
  const series = seriesOfDevice(context, device, request.metricKeys);
  const timeZone = await timeZoneOf(context, principal, device, aggregation, request.timeZone);
  const page = await readPage(request.telemetry, { series, ...range, aggregation, timeZone, limit, after: cursor });
  const metricKeys = request.metricKeys ?? series.map(({ metricKey }) => metricKey);
  return {
    deviceId: device.id,
    metricKey: metricKeys.length === 1 ? metricKeys[0]! : null,
    metricKeys,
    aggregation,
    startTime: microsToIso(range.from),
    endTime: microsToIso(range.to),
    data: page.points,
    count: page.points.length,
    nextCursor: page.last === null ? null : encodeCursor({ ...page.last, aggregation, to: range.to }),
  };
}

function parseRange(
  { clock }: ApiContext,
  start: string | undefined,
  end: string | undefined,
  startPath: string,
  endPath: string,
): { from: Micros; to: Micros } {
  const to = end === undefined ? clock.nowMicros() : parseTime(end, endPath);
  const from = start === undefined ? Math.max(0, to - DEFAULT_SPAN) : parseTime(start, startPath);
  if (from >= to) throw badRequest(startPath, `${microsToIso(from)} is not before the end, ${microsToIso(to)}`);
  return { from, to };
}

/** Days begin at the midnight of the zone asked for, else of the device's site. */
async function timeZoneOf(
  context: ApiContext,
  principal: Principal,
  device: Device,
  aggregation: 'none' | Resolution,
  asked: string | undefined,
): Promise<string> {
  if (asked !== undefined) return checkTimeZone(asked, 'query/timeZone');
  if (aggregation !== '1d' || device.siteId === null) return 'UTC';
  const site = await context.catalog.scoped(scopeOf(principal)).sites.get(device.siteId);
  return site?.timeZone ?? 'UTC';
}
