/**
 * How fast the codecs are, on one thread: `node packages/codecs/src/codecs.bench.ts`. Each payload is decoded into a
 * batch that is used again, as the pipeline does. Prints the median of five rounds.
 */
import { DEFAULT_DECODE_LIMITS } from './codec.ts';
import { CsvBatch } from './csv/csv-batch.ts';
import { CsvDecoder } from './csv/csv-decoder.ts';
import { DecodedBatch } from './decoded-batch.ts';
import { encodeJson } from './encode/json.ts';
import { encodeProtobuf } from './encode/protobuf.ts';
import { codecById } from './registry.ts';

const ROUNDS = 5;
const ROUND_MS = 300;
const RECORDS_PER_BATCH = 500;
const TIME = Date.UTC(2026, 0, 1) * 1000;

/** Twenty different payloads, so that nothing is learnt by heart. */
function variants(make: (at: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: 20 }, (_, at) => make(at));
}

const wave = (at: number, row: number): number => Math.round((20 + 5 * Math.sin(at + row / 10)) * 100) / 100;

const CASES: readonly (readonly [name: string, codec: string, payloads: Uint8Array[], samples: number])[] = [
  [
    'JSON, 10 metrics a message',
    'json',
    variants((at) =>
      encodeJson(
        Object.fromEntries(
          Array.from({ length: 10 }, (_, metric) => [`metric_number_${metric}_abc`, wave(at, metric)]),
        ),
        TIME + at * 1000,
      ),
    ),
    10,
  ],
  ['Protobuf, one reading', 'protobuf', variants((at) => encodeProtobuf({ sourceTime: TIME, value: wave(at, 0) })), 1],
  [
    'Protobuf, 10 columns of 10 doubles',
    'protobuf',
    variants((at) =>
      encodeProtobuf({
        sourceTime: TIME,
        intervalMicros: 10_000,
        columns: Array.from({ length: 10 }, (_, column) => ({
          metric: `metric_${column}`,
          values: Array.from({ length: 10 }, (_row, row) => wave(at + column, row)),
        })),
      }),
    ),
    100,
  ],
  [
    'Protobuf, 1 column of 100 integers of 2 decimals',
    'protobuf',
    variants((at) =>
      encodeProtobuf({
        sourceTime: TIME,
        timeDeltasMicros: Array.from({ length: 100 }, (_, row) => (row === 0 ? 0 : 9_990 + (row % 20))),
        columns: [{ values: Array.from({ length: 100 }, (_, row) => wave(at, row)), as: { decimals: 2 } }],
      }),
    ),
    100,
  ],
];

for (const [name, codecId, payloads, samples] of CASES) {
  const codec = codecById(codecId)!;
  const batch = new DecodedBatch();
  let record = 0;
  const messagesPerS = medianRate(() => {
    if (record % RECORDS_PER_BATCH === 0) batch.reset();
    batch.beginRecord(record % RECORDS_PER_BATCH);
    codec.decode(payloads[record % payloads.length]!, batch, DEFAULT_DECODE_LIMITS);
    record += 1;
  });
  print(name, payloads[0]!.length, messagesPerS, messagesPerS * samples);
}

const csv = Buffer.from(
  `time,${Array.from({ length: 10 }, (_, column) => `column ${column}`).join()}\n${Array.from(
    { length: 1000 },
    (_, row) =>
      [
        new Date(TIME / 1000 + row).toISOString(),
        ...Array.from({ length: 10 }, (_cell, column) => wave(column, row)),
      ].join(),
  ).join('\n')}\n`,
);
const csvBatch = new CsvBatch();
const filesPerS = medianRate(() => {
  csvBatch.reset();
  const decoder = new CsvDecoder();
  decoder.push(csv, csvBatch);
  decoder.end(csvBatch);
}, 1);
print('CSV, 10 columns a line', csv.length / 1000, filesPerS * 1000, filesPerS * 10_000);

function medianRate(work: () => void, perCheck = 1000): number {
  const rates = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    let done = 0;
    for (; performance.now() - started < ROUND_MS; done += perCheck) {
      for (let at = 0; at < perCheck; at++) work();
    }
    return (done / (performance.now() - started)) * 1000;
  });
  return rates.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)]!;
}

function print(name: string, byteLength: number, recordsPerS: number, samplesPerS: number): void {
  const micros = (1e6 / recordsPerS).toFixed(2);
  console.log(
    `${name} (${Math.round(byteLength)} B): ${micros} µs a record, ${(samplesPerS / 1e6).toFixed(2)} M samples/s`,
  );
}
