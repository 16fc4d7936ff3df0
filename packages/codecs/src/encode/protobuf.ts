/** Writes fieldline.v1.SensorData (proto/fieldline/v1/telemetry.proto). For simulators, tests and load generators. */
import { type Micros, QUALITY_GOOD } from '@fieldline/model';
import { WireWriter } from './wire-writer.ts';

export interface SensorColumnInput {
  readonly metric?: string;
  readonly unit?: string;
  /** All of one kind. */
  readonly values: ArrayLike<number> | readonly boolean[] | readonly string[];
  /** How numbers are written: in full (default), as 32-bit floats, or as integers of value × 10^decimals. */
  readonly as?: 'doubles' | 'floats' | { readonly decimals: number };
  /** One OPC byte each, or a single one for all; absent = good. */
  readonly quality?: Uint8Array;
}

export interface SensorDataInput {
  /** Time of the reading and base of the time axis, in microseconds; absent = received time. */
  readonly sourceTime?: Micros;
  /** One reading. */
  readonly value?: number | boolean | string;
  readonly metric?: string;
  readonly unit?: string;
  readonly quality?: number;
  /** Many readings; their times are sourceTime + i × intervalMicros, or sourceTime + the deltas added up. */
  readonly columns?: readonly SensorColumnInput[];
  readonly intervalMicros?: number;
  readonly timeDeltasMicros?: ArrayLike<number>;
}

/** One message as bytes. */
export function encodeProtobuf(message: SensorDataInput): Uint8Array {
  const writer = new WireWriter();
  if (message.sourceTime !== undefined) writer.unsignedField(1, message.sourceTime);
  if (typeof message.value === 'number') writer.doubleField(2, message.value);
  else if (typeof message.value === 'boolean') writer.unsignedField(3, message.value ? 1 : 0);
  else if (typeof message.value === 'string') writer.textField(4, message.value);
  if (message.quality !== undefined && message.quality !== QUALITY_GOOD) writer.unsignedField(5, message.quality);
  if (message.metric) writer.textField(6, message.metric);
  if (message.unit) writer.textField(7, message.unit);
  for (const column of message.columns ?? []) writer.nestedField(8, (nested) => writeColumn(nested, column));
  if (message.timeDeltasMicros) writer.packedZigzag(9, message.timeDeltasMicros);
  if (message.intervalMicros) writer.unsignedField(10, message.intervalMicros);
  return writer.take();
}

function writeColumn(writer: WireWriter, column: SensorColumnInput): void {
  if (column.metric) writer.textField(1, column.metric);
  if (column.unit) writer.textField(2, column.unit);
  const { values } = column;
  if (typeof values[0] === 'string') {
    for (const text of values as readonly string[]) writer.textField(8, text);
  } else if (typeof values[0] === 'boolean') {
    writer.bytesField(7, Uint8Array.from(values as readonly boolean[], Number));
  } else writeNumbers(writer, values as ArrayLike<number>, column.as ?? 'doubles');
  if (column.quality) writer.bytesField(9, column.quality);
}

function writeNumbers(writer: WireWriter, values: ArrayLike<number>, as: NonNullable<SensorColumnInput['as']>): void {
  if (as === 'doubles') writer.packedDoubles(3, values);
  else if (as === 'floats') writer.packedFloats(4, values);
  else {
    const factor = 10 ** as.decimals;
    writer.packedZigzag(
      5,
      Array.from(values, (value) => Math.round(value * factor)),
    );
    writer.unsignedField(6, as.decimals);
  }
}
