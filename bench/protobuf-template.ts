/** A SensorData message of one column of doubles whose time the generator can patch in place. */
import { encodeProtobuf } from '@fieldline/codecs';

/** Tag of field 1 (time_us), varint: one byte. The time stands right behind it. */
const TIME_BYTE_OFFSET = 1;

/** The message as base64 and where its time, a varint of eight bytes, stands. */
export function protobufTemplate(samples: number): { template: string; timeByteOffset: number } {
  const values = Array.from({ length: samples }, (_, index) => Math.round((20 + Math.sin(index / 10) * 5) * 100) / 100);
  const message = encodeProtobuf({
    sourceTime: Date.now() * 1000,
    intervalMicros: 1000,
    columns: [{ metric: 'value', values }],
  });
  return { template: Buffer.from(message).toString('base64'), timeByteOffset: TIME_BYTE_OFFSET };
}
