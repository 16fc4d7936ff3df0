/** The decoders as targets: no bytes make one throw anything but its own error, hang, or give what is out of bounds. */

import { FrameReader } from '../../packages/broker/src/packets/frame.ts';
import { ProtocolError } from '../../packages/broker/src/packets/protocol-error.ts';
import { decodePacket } from '../../packages/broker/src/packets/testing.ts';
import { fromHex } from '../../packages/broker/src/testing/harness.ts';
import { ALL_VECTORS } from '../../packages/broker/src/vectors/index.ts';
import {
  CODECS,
  type Codec,
  CsvBatch,
  CsvDecoder,
  DEFAULT_DECODE_LIMITS,
  DecodedBatch,
  DecodeError,
  encodeProtobuf,
} from '../../packages/codecs/src/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const INPUT_BYTES_MAX = 512;

/** The tables of packets, without the longest. */
export const PACKET_SEEDS: readonly Buffer[] = ALL_VECTORS.map(({ bytes }) => fromHex(bytes)).filter(
  ({ length }) => length > 0 && length <= INPUT_BYTES_MAX,
);

/** Puts the remaining length of the first packet right. */
export function repairPacket(input: Buffer): Buffer {
  const body = input.subarray(2, 2 + 127);
  return Buffer.concat([input.subarray(0, 1), Buffer.from([body.length]), body]);
}

export const packetTarget: FuzzTarget = {
  name: 'packets',
  watched: /\/broker\/src\/(packets|router)\//,
  seeds: PACKET_SEEDS,
  inputBytesMax: INPUT_BYTES_MAX,
  batchSize: 500,
  repair: repairPacket,
  run(input) {
    for (const version of [4, 5] as const) {
      const reader = new FrameReader(
        { onFrame: (firstByte, buffer, start, end) => decodePacket(firstByte, buffer, start, end, version) },
        INPUT_BYTES_MAX,
      );
      try {
        reader.push(input);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
      if (reader.bufferedBytes > INPUT_BYTES_MAX) throw new Error(`${reader.bufferedBytes} bytes are buffered`);
    }
  },
};

const LIMITS = { ...DEFAULT_DECODE_LIMITS, payloadBytesMax: INPUT_BYTES_MAX, samplesMax: 50 };
const batch = new DecodedBatch(64);

function codecTarget(codec: Codec, seeds: readonly Uint8Array[]): FuzzTarget {
  return {
    name: codec.id,
    watched: /\/codecs\/src\//,
    seeds: seeds.map((seed) => Buffer.from(seed)),
    inputBytesMax: INPUT_BYTES_MAX,
    batchSize: 500,
    run(input) {
      batch.reset();
      batch.beginRecord(0);
      try {
        codec.decode(input, batch, LIMITS);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        batch.truncate(0);
      }
      checkBatch(batch);
    },
  };
}

function checkBatch({ count, rejections, value, sourceTime, metric, texts }: DecodedBatch): void {
  if (count > LIMITS.samplesMax || rejections.length > 2 * LIMITS.samplesMax) throw new Error(`${count} samples`);
  for (let row = 0; row < count; row++) {
    if (!Number.isFinite(value[row]) && !texts.has(row)) throw new Error(`value ${value[row]}`);
    const time = sourceTime[row]!;
    if (!Number.isNaN(time) && !(Number.isInteger(time) && time >= 0)) throw new Error(`time ${time}`);
    if (metric[row]!.length === 0) throw new Error('no metric');
  }
}

const JSON_TEXTS = [
  '{"ts":1700000000000,"metrics":{"t":1.5,"on":true,"name":"x","o":{"value":2,"unit":"K","quality":192}}}',
  '[{"ts":"2024-01-01T00:00:00Z","metrics":{"a":1}},{"metrics":{"a":-0.0e-9}}]',
  '{"temperature":21,"deep":{"a":{"b":[1,2,{"c":null}]}},"t\\u00e9":"\\ud83d\\ude82"}',
  '{"value":1e308,"timestamp":1700000000,"quality":"bad"}',
  '{"metrics":[{"name":"a","value":1,"timestamp":1}],"seq":0}',
];
const SENSOR_DATA = [
  encodeProtobuf({ sourceTime: 1_700_000_000_000_000, columns: [{ metric: 'a', values: [1, 2.5, -3] }] }),
  encodeProtobuf({
    intervalMicros: 10,
    columns: [
      { metric: 'b', values: ['x', 'y'] },
      { metric: 'c', values: [true] },
    ],
  }),
];
const CSV_TEXTS = [
  'time,a,b\n2024-01-01T00:00:00Z,1,2\n2024-01-01 00:00:01,"1,5",x\n',
  'Datum;Wert\r\n01.02.2024 12:00:00;1,5\r\n01.02.2024 12:00:01;"a""b"\r\n',
  'timestamp,device,metric,value\n1700000000,d,m,1e5\n',
];

const csvTarget: FuzzTarget = {
  name: 'csv',
  watched: /\/codecs\/src\/csv\//,
  seeds: CSV_TEXTS.map((content) => Buffer.from(content)),
  inputBytesMax: INPUT_BYTES_MAX,
  batchSize: 200,
  run(input) {
    const decoder = new CsvDecoder();
    const into = new CsvBatch();
    try {
      decoder.push(input.subarray(0, input.length / 2), into);
      decoder.push(input.subarray(input.length / 2), into);
      decoder.end(into);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  },
};

export const DECODER_TARGETS: readonly FuzzTarget[] = [
  packetTarget,
  ...CODECS.map((codec) =>
    codecTarget(codec, codec.id === 'protobuf' ? SENSOR_DATA : JSON_TEXTS.map((content) => Buffer.from(content))),
  ),
  csvTarget,
];
