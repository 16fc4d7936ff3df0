/** Readings to the bytes of one message, in the format that the device speaks, and the topic they go to. */
import { encodeJson, encodeJsonBatch, encodeProtobuf, type SensorColumnInput } from '@fieldline/codecs';
import { fillTemplate, type Micros } from '@fieldline/model';
import type { Value } from './patterns.ts';
import type { Reading } from './reading.ts';
import type { ScenarioDevice } from './scenario.ts';

export type Format = 'json' | 'protobuf';

const TOPICS: Readonly<Record<Format, string>> = {
  json: 'v1/telemetry/{organization}/{key}',
  protobuf: 'robots/{key}/sensors/{sensorType}/data',
};

/** Where a device publishes. */
export function topicOf(device: ScenarioDevice, key: string, organization: string): string {
  const { format = 'json', sensorType = 'main' } = device;
  return fillTemplate(device.topic ?? TOPICS[format], { organization, key, sensorType });
}

/** One message with these readings. */
export function encodeReadings(
  format: Format,
  readings: readonly Reading[],
  units: Readonly<Record<string, string>>,
): Uint8Array {
  if (format === 'protobuf') return encodeProtobufReadings(readings, units);
  const [first] = readings;
  if (readings.length === 1) return encodeJson(first!.values, first!.sourceTime);
  return encodeJsonBatch(readings.map(({ values, sourceTime }) => ({ metrics: values, sourceTime })));
}

/** Columns over a shared axis; the readings have the same metrics (runsOf). */
function encodeProtobufReadings(readings: readonly Reading[], units: Readonly<Record<string, string>>): Uint8Array {
  const base = readings[0]!.sourceTime;
  const metrics = Object.keys(readings[0]!.values);
  const columns = metrics.map((metric): SensorColumnInput => {
    const values = readings.map((reading) => reading.values[metric]);
    const unit = Object.hasOwn(units, metric) ? units[metric]! : '';
    return { metric, unit, values: values as Value[] as SensorColumnInput['values'] };
  });
  return encodeProtobuf({ sourceTime: base, columns, timeDeltasMicros: deltasOf(readings, base) });
}

function deltasOf(readings: readonly Reading[], base: Micros): number[] {
  return readings.map(({ sourceTime }, at) => sourceTime - (at === 0 ? base : readings[at - 1]!.sourceTime));
}

/** Splits readings into runs of at most `max` whose metrics are the same, as one protobuf message needs them. */
export function* runsOf(readings: Iterable<Reading>, max: number, sameMetrics: boolean): Generator<Reading[]> {
  let run: Reading[] = [];
  let shape = '';
  for (const reading of readings) {
    const own = sameMetrics ? Object.keys(reading.values).join('\n') : '';
    if (run.length === max || (run.length > 0 && own !== shape)) {
      yield run;
      run = [];
    }
    shape = own;
    run.push(reading);
  }
  if (run.length > 0) yield run;
}
