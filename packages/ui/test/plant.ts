/** A made-up plant for tests of the UI: ten thousand devices, values as pure functions of time, so that history and live agree. */
import type { Device, DeviceMetric, Event, Site } from '@fieldline/contract';

export const ORGANIZATION_ID = '0b9d3c1e-5a41-4c57-9f1e-0a6d5a1f0001';
const CREATED = '2026-02-03T08:15:00.000Z';
const base = { organizationId: ORGANIZATION_ID, createdAt: CREATED, updatedAt: CREATED };

/** A UUID made of a family and a number. */
export function uuid(family: number, number: number): string {
  return `${family.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

export const SITES: readonly Site[] = [
  'Werk Kassel',
  'Werk Leipzig',
  'Pumpstation Nord',
  'Raffinerie Süd',
  'Lager Ost',
].map((name, index) => ({
  ...base,
  id: uuid(1, index),
  version: 1,
  name,
  timeZone: 'Europe/Berlin',
  address: '',
  latitude: null,
  longitude: null,
  attributes: {},
}));

const KINDS = ['machine', 'sensor', 'sensor', 'plc', 'robot', 'sensor', 'gateway', 'other'] as const;
const NAMES: Readonly<Record<Device['kind'], string>> = {
  machine: 'Press',
  sensor: 'Vibration sensor',
  plc: 'Line controller',
  robot: 'Inspection robot',
  gateway: 'Edge gateway',
  other: 'Weather mast',
};

function makeDevice(index: number, now: number): Device {
  const kind = index === 0 ? 'robot' : KINDS[index % KINDS.length]!;
  const status = index === 0 ? 'online' : index % 97 === 13 ? 'offline' : index % 211 === 7 ? 'unknown' : 'online';
  const silentMs = status === 'online' ? (index % 9) * 700 : 60_000 * (3 + ((index * 37) % 4000));
  const seen = status === 'unknown' ? null : new Date(now - silentMs).toISOString();
  return {
    ...base,
    id: uuid(2, index),
    version: 1,
    key: index === 0 ? 'ur3-cell-1' : `${kind}-${String(index).padStart(5, '0')}`,
    name: index === 0 ? 'UR3 arm, cell 1' : `${NAMES[kind]} ${index}`,
    kind,
    siteId: index % 23 === 5 ? null : SITES[index % SITES.length]!.id,
    gatewayId: null,
    lifecycle: 'active',
    serialNumber: `SN-${100_000 + index}`,
    attributes: {},
    tags: [],
    hasToken: true,
    status,
    statusSince: seen,
    lastSeen: seen,
  };
}

export function makeDevices(count: number, now: number): Device[] {
  return Array.from({ length: count }, (_, index) => makeDevice(index, now));
}

function metric(metricKey: string, unit: string, valueKind: DeviceMetric['valueKind'] = 'number'): DeviceMetric {
  return {
    metricKey,
    valueKind,
    unit,
    sourceUnit: '',
    scale: 1,
    offset: 0,
    minimum: null,
    maximum: null,
    metadata: {},
  };
}

export const METRICS: readonly DeviceMetric[] = [
  ...[0, 1, 2, 3, 4, 5].map((joint) => metric(`current_j${joint}`, 'A')),
  metric('temperature_elbow', 'Cel'),
  metric('temperature_wrist', 'Cel'),
  metric('tool_speed', 'mm/s'),
  metric('power', 'W'),
  metric('mode', '', 'text'),
  metric('protective_stop', '', 'boolean'),
];

/** The value of a metric at a time (milliseconds since 1970). */
export function valueAt(metricKey: string, time: number): number {
  const index = METRICS.findIndex((one) => one.metricKey === metricKey);
  const seconds = time / 1000;
  const noise = Math.sin(time * 12.9898 + index * 78.233) * 43758.5453;
  const grain = noise - Math.floor(noise) - 0.5;
  if (metricKey.startsWith('temperature')) return 41 + index + 3 * Math.sin(seconds / 4000) + grain * 0.12;
  if (metricKey === 'tool_speed') return Math.max(0, 180 * Math.sin(seconds * 0.9) ** 2 + grain * 6);
  if (metricKey === 'power') return 128 + 34 * Math.sin(seconds * 0.9 + 0.6) + grain * 9;
  if (metricKey === 'protective_stop') return 0;
  return 0.4 * index + (1.2 - index * 0.12) * Math.sin(seconds * (0.7 + index * 0.06) + index) + grain * 0.18;
}

export function makeEvents(now: number): Event[] {
  return Array.from({ length: 60 }, (_, index) => {
    const type = ['DEVICE_DISCONNECTED', 'DEVICE_CONNECTED', 'DEVICE_CONNECTED', 'DEVICE_CONNECT_REFUSED'][index % 4]!;
    const time = new Date(now - 9_000 - index * index * 21_000).toISOString();
    const payload: Record<string, string> =
      type === 'DEVICE_DISCONNECTED'
        ? { reason: 'keep-alive ran out', address: '10.20.4.17' }
        : type === 'DEVICE_CONNECT_REFUSED'
          ? { reason: 'token is not right', address: '10.20.9.3' }
          : { protocol: 'MQTT 5', address: '10.20.4.17' };
    const subjectId = uuid(2, index % 5 === 0 ? 0 : (index * 13) % 500);
    return { ...base, id: uuid(3, index), type, subjectKind: 'device', subjectId, time, payload };
  });
}
