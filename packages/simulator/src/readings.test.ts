import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CODECS, DEFAULT_DECODE_LIMITS, DecodedBatch } from '@fieldline/codecs';
import { isoToMicros, microsToIso } from '@fieldline/model';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_FILES } from './demo-plant.ts';
import { encodeReadings, runsOf } from './message.ts';
import { patternReadings } from './pattern-readings.ts';
import type { Reading, ReadingSource } from './reading.ts';
import { type Recording, readRecording } from './recording.ts';
import { replayReadings } from './replay-readings.ts';

const START = isoToMicros('2026-01-01T00:00:00Z');
const SECOND = 1_000_000;
let folder = '';
let recording: Recording;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'fieldline-simulator-'));
  const lines = ['10:00:00,0', '10:00:01,1', '10:00:02,', '10:00:02,2', '10:30:00,3', 'bad,9', '10:30:01,4'];
  const file = path.join(folder, 'r.csv');
  await writeFile(file, `time,a\n${lines.map((line) => `2020-05-01T${line}`).join('\n')}\n`);
  recording = await readRecording(file, { columns: [{ column: 'a', unit: 'bar' }] }, 5000);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const shown = (readings: Iterable<Reading>) =>
  [...readings].map(({ sourceTime, values }) => `${(sourceTime - START) / SECOND}:${Object.values(values).join()}`);

/** Everything a source has to say, asked in pieces. */
function inPieces(source: ReadingSource, from: number, until: number, pieceMicros: number, max = 3): Reading[] {
  const all: Reading[] = [];
  for (let at = from; at < until; at += pieceMicros) {
    const end = Math.min(until, at + pieceMicros);
    let after = at;
    for (;;) {
      const found = source.take(after, end, max);
      all.push(...found);
      if (found.length < max) break;
      after = found.at(-1)!.sourceTime;
    }
  }
  return all;
}

describe('replay', () => {
  const replay = (more: Partial<Parameters<typeof replayReadings>[1]> = {}) =>
    replayReadings(recording, { startTime: START, startElapsed: 0, speed: 1, loop: true, ...more });

  it('cuts pauses, leaves out what cannot be read, knows units', () => {
    expect(shown(replay({ loop: false }).take(START - 1, START + 60 * SECOND, 100))).toEqual([
      '0:0',
      '1:1',
      '2:2',
      '7:3',
      '8:4',
    ]);
    expect(recording.units).toEqual({ a: 'bar' });
    expect(recording.elapsedAt('2020-05-01T10:30:00Z')).toBe(7 * SECOND);
    expect(() => recording.elapsedAt('then')).toThrow(/startAt: "then" is not ISO 8601/);
  });

  it('begins again after its usual step', () => {
    expect(shown(replay().take(START, START + 13 * SECOND, 100))).toEqual([
      '1:1',
      '2:2',
      '7:3',
      '8:4',
      '10:0',
      '11:1',
      '12:2',
    ]);
  });

  it('goes faster, from a place within', () => {
    expect(shown(replay({ speed: 10, startElapsed: 7 * SECOND }).take(START - 1, START + SECOND, 4))).toEqual([
      '0:3',
      '0.1:4',
      '0.3:0',
      '0.4:1',
    ]);
  });

  it('tells the past at its own speed, thinned out, ending at the place where the present begins', () => {
    const source = replay({ speed: 10, startElapsed: 7 * SECOND });
    expect(shown(source.history(START - 9 * SECOND, START, 0))).toEqual(['-9:4', '-7:0', '-6:1', '-5:2', '0:3']);
    expect(shown(source.history(START - 9 * SECOND, START, 3 * SECOND))).toEqual(['-9:4', '-6:1', '0:3']);
  });

  it('without a loop there is nothing before and after it', () => {
    const source = replay({ loop: false, startElapsed: 2 * SECOND });
    expect(shown(source.history(START - 60 * SECOND, START, 0))).toEqual(['-2:0', '-1:1', '0:2']);
    expect(shown(source.take(START, START + 60 * SECOND, 100))).toEqual(['5:3', '6:4']);
    expect(source.take(START + 60 * SECOND, START + 90 * SECOND, 100)).toEqual([]);
  });

  it('gives each row once, however it is asked', () => {
    const speed = fc.double({ min: 0.5, max: 100, noNaN: true });
    fc.assert(
      fc.property(
        speed,
        fc.integer({ min: 1000, max: 3 * SECOND }),
        fc.integer({ min: 0, max: 9 * SECOND }),
        (factor, piece, place) => {
          const source = replay({ speed: factor, startElapsed: place });
          const until = START + 20 * SECOND;
          expect(inPieces(source, START, until, piece)).toEqual(source.take(START, until, 100_000));
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ['messages.json', (messages: readonly object[]) => JSON.stringify(messages)],
    ['messages.jsonl', (messages: readonly object[]) => messages.map((one) => JSON.stringify(one)).join('\n\n')],
  ])('reads %s, messages as devices send them', async (name, textOf) => {
    const file = path.join(folder, name);
    const messages = [
      { ts: '2020-05-01T10:00:02Z', metrics: { b: 'up' } },
      { ts: Date.UTC(2020, 4, 1, 10), metrics: { a: { value: 1.5, unit: 'bar' }, on: true } },
      { metrics: { a: 7 } },
      { nonsense: 1 },
    ];
    await writeFile(file, textOf(messages));
    const read = await readRecording(file, {}, 60_000);
    expect(read.count).toBe(2);
    expect(read.units).toEqual({ a: 'bar' });
    expect([...read.elapsed]).toEqual([0, 2 * SECOND]);
    expect([read.valuesOf(0), read.valuesOf(1)].map((values) => ({ ...values }))).toEqual([
      { a: 1.5, on: true },
      { b: 'up' },
    ]);
  });

  it('reads the recordings of the demo', async () => {
    const ur3 = await readRecording(DEMO_FILES.ur3, {}, 10_000);
    expect(ur3.count).toBe(7409);
    expect(ur3.valuesOf(0).Robot_ProtectiveStop).toBe(false);
    const machine = await readRecording(DEMO_FILES.machineTemperature, {}, 3_600_000);
    expect(machine.count).toBe(22_695);
  });

  it('refuses a file without values', async () => {
    const file = path.join(folder, 'empty.csv');
    await writeFile(file, 'time,a\n');
    await expect(readRecording(file, {}, 1000)).rejects.toThrow(/empty.csv: there is no line with values/);
    await expect(readRecording(path.join(folder, 'none.csv'), {}, 1000)).rejects.toThrow(/none.csv/);
  });
});

describe('pattern readings', () => {
  const source = () =>
    patternReadings({ a: { pattern: 'sine', mean: 0, amplitude: 1, periodMs: 7000, unit: 'V' } }, 4, 'seed');

  it('stand at multiples of the interval, each once', () => {
    const times = source()
      .take(START, START + SECOND, 100)
      .map(({ sourceTime }) => microsToIso(sourceTime).slice(17));
    expect(times).toEqual(['00.250Z', '00.500Z', '00.750Z', '01.000Z']);
    expect(inPieces(source(), START, START + 9 * SECOND, 333_333)).toEqual(
      source().take(START, START + 9 * SECOND, 100),
    );
  });

  it('history ends where the present begins', () => {
    const past = [...source().history(START - SECOND, START, 500_000)].map(({ sourceTime }) => sourceTime - START);
    expect(past).toEqual([-SECOND, -500_000, 0]);
    expect([...source().history(START - SECOND, START, 0)]).toHaveLength(5);
  });
});

describe('messages', () => {
  const readings: Reading[] = [
    { sourceTime: START, values: { a: 1, b: true } },
    { sourceTime: START + 5, values: { a: 2, b: false } },
    { sourceTime: START + 9, values: { a: 3 } },
  ];

  for (const format of ['json', 'protobuf'] as const) {
    it(`${format}: what is written is what the codec reads`, () => {
      const into = new DecodedBatch();
      const codec = CODECS.find(({ id }) => id === format)!;
      for (const run of runsOf(readings, 10, format === 'protobuf')) {
        codec.decode(encodeReadings(format, run, { a: 'bar' }), into, DEFAULT_DECODE_LIMITS);
      }
      const rows = Array.from({ length: into.count }, (_, row) =>
        [into.metric[row], into.sourceTime[row]! - START, into.value[row], into.valueKind[row]].join(),
      );
      expect(rows.sort()).toEqual(['a,0,1,0', 'a,5,2,0', 'a,9,3,0', 'b,0,1,1', 'b,5,0,1']);
      expect(into.rejections).toEqual([]);
    });
  }

  it('runs are bounded and of one shape where asked', () => {
    const lengths = (max: number, same: boolean) => [...runsOf(readings, max, same)].map((run) => run.length);
    expect([lengths(2, false), lengths(10, true), lengths(10, false)]).toEqual([[2, 1], [2, 1], [3]]);
  });
});
