/**
 * From the forms of POST webhook/sensor-data to raw records with the codec 'json': one record per message, readings gathered by
 * device. What a payload means is the pipeline's business; here only names and times are looked at. Pure.
 */
import type { DeviceMessage, Reading, SensorData } from '@fieldline/contract';
import { isMicros, isoToMicros, millisToMicros, type Origin } from '@fieldline/model';
import { badRequest } from '../../text.ts';
import type { RawRecord } from './group-appender.ts';

export interface Conversion {
  readonly records: RawRecord[];
  /** Readings: values of one metric at one time. */
  readonly readingCount: number;
}

/** originOf must give the same object for the same device name. */
export function toRecords(data: SensorData, originOf: (deviceName: string) => Origin): Conversion {
  if (Array.isArray(data)) return ofMessages(data, originOf, (index) => `body/${index}`);
  if ('readings' in data) return ofReadings(data.readings, originOf, (index) => `body/readings/${index}`);
  if ('metrics' in data) return ofMessages([data], originOf, () => 'body');
  return ofReadings([data], originOf, () => 'body');
}

/** The devices that the request names. */
export function deviceNames(data: SensorData): ReadonlySet<string> {
  const items = Array.isArray(data) ? data : 'readings' in data ? data.readings : [data];
  const names = items.map((item) => item.deviceId ?? ('equipmentId' in item ? item.equipmentId : undefined));
  return new Set(names.filter((name) => name !== undefined));
}

function ofMessages(
  messages: readonly DeviceMessage[],
  originOf: (deviceName: string) => Origin,
  pathOf: (index: number) => string,
): Conversion {
  let readingCount = 0;
  const records = messages.map(({ deviceId, ts, metrics }, index) => {
    checkTime(ts, `${pathOf(index)}/ts`);
    readingCount += Object.keys(metrics).length;
    return { origin: originOf(deviceId), payload: Buffer.from(JSON.stringify({ ts, metrics })) };
  });
  return { records, readingCount };
}

function ofReadings(
  readings: readonly Reading[],
  originOf: (deviceName: string) => Origin,
  pathOf: (index: number) => string,
): Conversion {
  const byDevice = new Map<string, string[]>();
  for (const [index, reading] of readings.entries()) {
    const device = reading.deviceId ?? reading.equipmentId;
    if (device === undefined) throw badRequest(pathOf(index), 'misses deviceId (or equipmentId)');
    const messages = byDevice.get(device);
    const text = messageOf(reading, pathOf(index));
    if (messages === undefined) byDevice.set(device, [text]);
    else messages.push(text);
  }
  const records = [...byDevice].map(([device, messages]) => ({
    origin: originOf(device),
    payload: Buffer.from(messages.length === 1 ? messages[0]! : `[${messages.join(',')}]`),
  }));
  return { records, readingCount: readings.length };
}

/** One reading as the message that a device would send. */
function messageOf(reading: Reading, path: string): string {
  const { value, unit, quality, timestamp } = reading;
  const metric = reading.metricKey ?? reading.sensorType;
  if (metric === undefined) throw badRequest(path, 'misses metricKey (or sensorType)');
  checkTime(timestamp, `${path}/timestamp`);
  const sample = unit === undefined && quality === undefined ? value : { value, unit, quality };
  const time = timestamp === undefined ? '' : `"ts":${JSON.stringify(timestamp)},`;
  return `{${time}"metrics":{${JSON.stringify(metric)}:${JSON.stringify(sample)}}}`;
}

function checkTime(time: number | string | undefined, path: string): void {
  if (time === undefined) return;
  const micros = typeof time === 'number' ? millisToMicros(time) : isoToMicros(time);
  if (!isMicros(micros)) {
    throw badRequest(path, `${JSON.stringify(time)} is not a time; send ISO 8601 or milliseconds since 1970`);
  }
}
