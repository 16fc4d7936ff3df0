/** What HTTP ingest writes is what the codec named in the record reads: same metrics, values, units, qualities, times. */

import { codecById, DEFAULT_DECODE_LIMITS, DecodedBatch } from '@fieldline/codecs';
import type { SensorData } from '@fieldline/contract';
import { type Origin, QUALITY_BAD, QUALITY_GOOD } from '@fieldline/model';
import { describe, expect, it } from 'vitest';
import { toRecords } from './to-records.ts';

const originOf = (deviceId: string): Origin => ({
  organizationId: 'o',
  deviceId,
  topic: 't',
  codec: 'json',
  source: 'http',
  mappingVersion: 1,
});

/** Device, metric, value, unit, quality, time in milliseconds. */
function decoded(data: SensorData): unknown[][] {
  const batch = new DecodedBatch();
  const { records } = toRecords(data, originOf);
  for (const [index, { origin, payload }] of records.entries()) {
    batch.beginRecord(index);
    codecById(origin.codec)!.decode(payload, batch, DEFAULT_DECODE_LIMITS);
  }
  expect(batch.rejections).toEqual([]);
  return Array.from({ length: batch.count }, (_, row) => [
    records[batch.recordIndex[row]!]!.origin.deviceId,
    batch.metric[row],
    batch.texts.get(row) ?? batch.value[row],
    batch.units.get(row) ?? '',
    batch.quality[row],
    batch.sourceTime[row]! / 1000,
  ]);
}

const NOON = Date.UTC(2026, 4, 1, 12);

describe('a record of HTTP ingest', () => {
  it.each<[string, SensorData, unknown[][]]>([
    [
      'readings of two machines',
      {
        readings: [
          { equipmentId: 'a', sensorType: 'temperature', value: 85.2, unit: 'Cel', timestamp: '2026-05-01T12:00:00Z' },
          { equipmentId: 'b', sensorType: 'voltage', value: 230, timestamp: NOON },
          { equipmentId: 'a', sensorType: 'temperature', value: 85.3, quality: 'bad', timestamp: NOON + 1 },
        ],
      },
      [
        ['a', 'temperature', 85.2, 'Cel', QUALITY_GOOD, NOON],
        ['a', 'temperature', 85.3, '', QUALITY_BAD, NOON + 1],
        ['b', 'voltage', 230, '', QUALITY_GOOD, NOON],
      ],
    ],
    [
      'a text',
      { deviceId: 'a', metricKey: 'state', value: 'RUN', timestamp: NOON },
      [['a', 'state', 'RUN', '', 192, NOON]],
    ],
    ['a boolean', { deviceId: 'a', metricKey: 'on', value: true, timestamp: NOON }, [['a', 'on', 1, '', 192, NOON]]],
    ['a name with quotes', { deviceId: 'a', metricKey: 'a"b\\', value: 1 }, [['a', 'a"b\\', 1, '', 192, Number.NaN]]],
    [
      'a name of an object',
      { deviceId: 'a', metricKey: '__proto__', value: 1 },
      [['a', '__proto__', 1, '', 192, Number.NaN]],
    ],
    ['a message', { deviceId: 'a', ts: NOON, metrics: { x: 1 } }, [['a', 'x', 1, '', 192, NOON]]],
    [
      'messages of two devices',
      [
        { deviceId: 'a', metrics: { x: { value: 2, unit: 'bar' } } },
        { deviceId: 'b', metrics: { y: 3 } },
      ],
      [
        ['a', 'x', 2, 'bar', 192, Number.NaN],
        ['b', 'y', 3, '', 192, Number.NaN],
      ],
    ],
  ])('holds %s', (_, data, expected) => {
    expect(decoded(data)).toEqual(expected);
  });
});
