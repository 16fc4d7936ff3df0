/** System door: devices and series that register themselves. Idempotent. */
import { FieldlineError } from '@fieldline/kit';
import {
  type DirectoryDevice,
  isId,
  isKey,
  METRIC_KEY_LENGTH_MAX,
  newId,
  type SeriesDefinition,
  type SeriesRequest,
} from '@fieldline/model';
import { and, count, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Feed, SeriesRegistration } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import { devices, series } from '../schema/index.ts';
import { checkName, NAME_LENGTH_MAX, refuse } from '../validate.ts';
import { textArray, uuidArray } from './arrays.ts';
import { definition } from './series.ts';
import { deviceColumns } from './system-directory.ts';

export const REQUESTS_MAX = 10_000;

type Refusal = SeriesRegistration['refused'][number];

/** The series for the requests, in their order; new ones are made up to the limit per subject. */
export async function registerSeries(
  database: Database,
  requests: readonly SeriesRequest[],
  seriesPerSubjectMax: number,
): Promise<SeriesRegistration> {
  if (requests.length > REQUESTS_MAX) refuse('requests', `must not be more than ${REQUESTS_MAX}`);
  for (const { subjectId, metricKey } of requests) {
    if (!isId(subjectId)) refuse('subjectId', `"${subjectId}" is no id`);
    if (metricKey.length < 1 || metricKey.length > METRIC_KEY_LENGTH_MAX) {
      refuse('metricKey', `must have 1 to ${METRIC_KEY_LENGTH_MAX} characters`);
    }
  }
  if (requests.length === 0) return { series: [], refused: [] };
  return database.transaction('system', async (queries) => {
    const known = new Map<string, SeriesDefinition>();
    await readInto(known, queries, requests);
    const missing = requests.filter((request) => !isOf(known.get(keyOf(request)), request));
    const refusals = new Map<string, Refusal['code']>();
    if (missing.length > 0) {
      const admitted = await admit(queries, missing, seriesPerSubjectMax, refusals);
      await insert(queries, admitted);
      await readInto(known, queries, admitted);
    }
    return answer(requests, known, refusals);
  });
}

export async function registerDevice(
  database: Database,
  wanted: Parameters<Feed['registerDevice']>[0],
): Promise<{ device: DirectoryDevice; created: boolean }> {
  const { organizationId, key } = wanted;
  if (!isKey(key)) refuse('key', `"${key}" is no device key`);
  const name = checkName((wanted.name ?? key).slice(0, NAME_LENGTH_MAX));
  const row = {
    ...{ id: newId(), organizationId, key, name },
    kind: wanted.kind ?? ('other' as const),
    siteId: wanted.siteId ?? null,
    gatewayId: wanted.gatewayId ?? null,
    lifecycle: 'active' as const,
  };
  const isKnown = and(eq(devices.organizationId, organizationId), eq(devices.key, key), isNull(devices.deletedAt));
  return database.transaction('system', async (queries) => {
    const find = async () => (await queries.select(deviceColumns).from(devices).where(isKnown))[0];
    const before = await find();
    if (before !== undefined) return { device: before, created: false };
    const [made] = await queries.insert(devices).values(row).onConflictDoNothing().returning(deviceColumns);
    if (made !== undefined) return { device: made, created: true };
    // Another process was faster.
    const device = await find();
    if (device === undefined) throw new FieldlineError('CONFLICT', `the device ${key} is being changed; try again`);
    return { device, created: false };
  });
}

function keyOf({ subjectId, metricKey }: { subjectId: string; metricKey: string }): string {
  return `${subjectId} ${metricKey}`;
}

function isOf(found: SeriesDefinition | undefined, request: SeriesRequest): boolean {
  return found !== undefined && found.organizationId === request.organizationId;
}

async function readInto(
  known: Map<string, SeriesDefinition>,
  queries: Queries,
  requests: readonly SeriesRequest[],
): Promise<void> {
  if (requests.length === 0) return;
  const subjects = uuidArray(requests.map((request) => request.subjectId));
  const metrics = textArray(requests.map((request) => request.metricKey));
  const wanted = sql`(${series.subjectId}, ${series.metricKey}) in (select * from unnest(${subjects}, ${metrics}))`;
  for (const found of await queries.select(definition).from(series).where(wanted)) known.set(keyOf(found), found);
}

/** Those that may be made, each once: their device is there, in their organisation, and has room. */
async function admit(
  queries: Queries,
  missing: readonly SeriesRequest[],
  seriesPerSubjectMax: number,
  refusals: Map<string, Refusal['code']>,
): Promise<SeriesRequest[]> {
  const subjectIds = [...new Set(missing.map((request) => request.subjectId))];
  const rows = await queries
    .select({ id: devices.id, organizationId: devices.organizationId, series: count(series.id) })
    .from(devices)
    .leftJoin(series, eq(series.subjectId, devices.id))
    .where(inArray(devices.id, subjectIds))
    .groupBy(devices.id);
  const subjects = new Map(rows.map((row) => [row.id, { ...row }]));
  const admitted = new Map<string, SeriesRequest>();
  for (const request of missing) {
    const subject = subjects.get(request.subjectId);
    const key = keyOf(request);
    if (admitted.has(key)) continue;
    if (
      subject === undefined ||
      subject.organizationId !== request.organizationId ||
      request.subjectKind !== 'device'
    ) {
      refusals.set(`${request.organizationId} ${key}`, 'DEVICE_UNKNOWN');
    } else if (subject.series >= seriesPerSubjectMax) {
      refusals.set(`${request.organizationId} ${key}`, 'SERIES_LIMIT');
    } else {
      subject.series += 1;
      admitted.set(key, request);
    }
  }
  return [...admitted.values()];
}

async function insert(queries: Queries, requests: readonly SeriesRequest[]): Promise<void> {
  if (requests.length === 0) return;
  // In one order everywhere, so that two processes that make the same series do not wait for each other in a circle.
  const sorted = [...requests].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const subjects = uuidArray(sorted.map((request) => request.subjectId));
  await queries.execute(sql`
    insert into fieldline.series (organization_id, subject_kind, subject_id, device_id, metric_key, value_kind, unit)
    select organization_id, 'device', subject_id, subject_id, metric_key, value_kind, unit
    from unnest(
      ${uuidArray(sorted.map((request) => request.organizationId))}, ${subjects},
      ${textArray(sorted.map((request) => request.metricKey))},
      ${textArray(sorted.map((request) => request.valueKind))},
      ${textArray(sorted.map((request) => request.unit ?? ''))}
    ) as r (organization_id, subject_id, metric_key, value_kind, unit)
    on conflict (subject_id, metric_key) do nothing`);
}

function answer(
  requests: readonly SeriesRequest[],
  known: ReadonlyMap<string, SeriesDefinition>,
  refusals: ReadonlyMap<string, Refusal['code']>,
): SeriesRegistration {
  const refused: Refusal[] = [];
  const found = requests.map((request, index) => {
    const one = known.get(keyOf(request));
    if (isOf(one, request)) return one!;
    refused.push({ index, code: refusals.get(`${request.organizationId} ${keyOf(request)}`) ?? 'DEVICE_UNKNOWN' });
    return null;
  });
  return { series: found, refused };
}
