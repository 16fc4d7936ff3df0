import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { microsToIso } from '@fieldline/model';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsOf } from '../../test/decoding.ts';
import { DEFAULT_DECODE_LIMITS, DecodeError } from '../codec.ts';
import { CsvBatch } from './csv-batch.ts';
import { CsvDecoder } from './csv-decoder.ts';
import { detectCsv } from './csv-dialect.ts';
import type { CsvMapping } from './csv-mapping.ts';
import { CsvRecords } from './csv-records.ts';
import { timeReader } from './csv-time.ts';

const CASES = path.join(import.meta.dirname, '../../testcases');

function decode(mapping: CsvMapping, input: Uint8Array): CsvBatch {
  const into = new CsvBatch();
  const decoder = new CsvDecoder(mapping);
  decoder.push(input, into);
  decoder.end(into);
  return into;
}

/** The batch as it stands in expected.json. */
function described(batch: CsvBatch): object {
  const rows = rowsOf(batch.samples);
  return {
    records: batch.lineNumbers.map((line, record) => ({
      line,
      ...(batch.devices[record] !== '' && { device: batch.devices[record] }),
      samples: rows
        .filter((_, row) => batch.samples.recordIndex[row] === record)
        .map(({ metric, time, value, unit }) => [microsToIso(time), metric, value, ...(unit ? [unit] : [])].join(' ')),
    })),
    problems: batch.problems.map(({ code, message }) => `${code} ${message}`),
  };
}

function refusal(mapping: CsvMapping, input: string | Uint8Array): string {
  try {
    decode(mapping, Buffer.from(input as string));
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('csv: files from the field', () => {
  for (const name of readdirSync(CASES)) {
    it(name, () => {
      const read = (file: string): Buffer => readFileSync(path.join(CASES, name, file));
      const mapping = JSON.parse(read('config.json').toString()) as CsvMapping;
      expect(described(decode(mapping, read('input.csv')))).toEqual(JSON.parse(read('expected.json').toString()));
    });
  }
});

describe('csv: whole files that are refused', () => {
  for (const [name, mapping, input, answer] of [
    ['a column that is not there', { columns: [{ column: 'c' }] }, 'time,a\n', /no column "c"; it has "time", "a"/],
    ['a column number beyond', { time: { column: 3 } }, 'time,a\n', /no column 3/],
    ['no time', {}, 'a,b\n1,2\n', /no column holds times .* set time.column/],
    ['an unknown format', { time: { format: 'DD HH' } }, 'time\n', /time format "DD HH" is not known/],
    ['an unknown zone', { time: { zone: 'Mars/Base' } }, 'time\n', /time zone "Mars\/Base" is not known/],
    ['another encoding', {}, Uint8Array.of(0x74, 0xb0), /set encoding, e.g. windows-1252/],
    ['a quote left open', {}, `time,a\n1706370000,"${'x,\n'.repeat(400_000)}`, /line 2: .* is a quote left open/],
  ] as const) {
    it(name, () => expect(refusal(mapping, input as string)).toMatch(answer));
  }
});

describe('csv: mappings from outside are checked', () => {
  for (const [mapping, answer] of [
    [null, 'mapping: must have keys and values'],
    [{ seperator: ';' }, 'mapping: seperator: is not known; known are separator, decimalComma,'],
    [{ separator: ':' }, 'mapping: separator: must be one of ",", ";", "\\t", "|"'],
    [{ encoding: 'latin1' }, 'mapping: encoding: must be one of'],
    [{ time: { column: 0 } }, 'mapping: time: column: must be the name of a column or its number from 1'],
    [{ columns: [{ column: 'a' }, { metric: 'b' }] }, 'mapping: columns: [1] needs column'],
    [{ columns: [{ column: 'a', kind: 'int' }] }, 'mapping: columns: [0] kind: must be one of'],
    [{ long: { metricColumn: 1 } }, 'mapping: long: needs valueColumn'],
    [{ quote: '""' }, 'mapping: quote: must be one character'],
    [{ constructor: 1 }, 'mapping: constructor: is not known'],
  ] as const) {
    it(JSON.stringify(mapping), () => {
      expect(() => new CsvDecoder(mapping as CsvMapping)).toThrow(answer);
    });
  }
});

describe('csv: what the first lines tell', () => {
  for (const [head, separator, decimalComma, timeColumn] of [
    ['t;a\n2024-01-01;1,5\n', ';', true, 0],
    ['id,when,a\n1,2024-01-01T00:00:00Z,1.5\n', ',', false, 1],
    ['a\ttimestamp\n1,5\t1706370000\n', '\t', true, 1],
    ['a;b\n1,5;1.5\n', ';', false, -1],
    ['time;a\n', ';', false, 0],
    ['a;b\n1,5;1.234\n2,5;3\n', ';', true, -1],
  ] as const) {
    it(JSON.stringify(head), () => expect(detectCsv(head)).toMatchObject({ separator, decimalComma, timeColumn }));
  }
});

describe('csv: times', () => {
  for (const [format, zone, cell, iso] of [
    ['auto', 'UTC', '1706370000', '2024-01-27T15:40:00.000Z'],
    ['auto', 'UTC', '1706370000000', '2024-01-27T15:40:00.000Z'],
    ['auto', 'UTC', '1706370000000001', '2024-01-27T15:40:00.000001Z'],
    ['epoch-s', 'UTC', '1706370000,5', '2024-01-27T15:40:00.500Z'],
    ['iso', '+05:30', '2024-01-27 15:40:00', '2024-01-27T10:10:00.000Z'],
    ['iso', 'Europe/Berlin', '2024-01-27T15:40:00Z', '2024-01-27T15:40:00.000Z'],
    ['iso', 'Europe/Berlin', '2024-07-01 12:00:00.25', '2024-07-01T10:00:00.250Z'],
    ['iso', 'Europe/Berlin', '2024-10-27 02:30:00', '2024-10-27T00:30:00.000Z'], // twice: the first one
    ['iso', 'Europe/Berlin', '2024-03-31 02:30:00', '2024-03-31T01:30:00.000Z'], // left out: moves on
    ['iso', 'America/New_York', '2024-11-03 01:30:00', '2024-11-03T05:30:00.000Z'],
    ['MM/DD/YYYY HH:mm', 'UTC', '1/7/2024 5:40', '2024-01-07T05:40:00.000Z'],
    ['DD.MM.YYYY HH:mm:ss.SSS', 'UTC', '27.01.2024 15:40:00.125', '2024-01-27T15:40:00.125Z'],
    ['DD.MM.YYYY', 'UTC', '30.02.2024', 'none'],
    ['iso', 'UTC', '1706370000', 'none'],
  ] as const) {
    it(`${cell} as ${format} in ${zone}`, () => {
      const time = timeReader(format, zone)(cell);
      expect(Number.isNaN(time) ? 'none' : microsToIso(time)).toBe(iso);
    });
  }
});

describe('csv: records', () => {
  it('reads what another parser reads', () => {
    const cell = fc.stringMatching(/^[a-c ",\n]{0,6}$/).map((text) => `"${text.replaceAll('"', '""')}"`);
    const plain = fc.stringMatching(/^[a-c ]{0,4}$/);
    const rows = fc.array(fc.array(fc.oneof(cell, plain), { minLength: 2, maxLength: 4 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), (input, lineEnd, lastEnd) => {
        const text = input.map((cells) => cells.join(',')).join(lineEnd) + (lastEnd ? lineEnd : '');
        const found: string[][] = [];
        new CsvRecords(',', '"').push(text, true, (cells) => found.push(cells));
        expect(found).toEqual(parse(text, { relax_column_count: true }));
      }),
    );
  });

  it('keeps at most a thousand problems and counts the rest', () => {
    const batch = decode({}, Buffer.from(`time,a\n${'1706370000,1\n'.repeat(50)}${'x,1\n'.repeat(1500)}`));
    expect([batch.problems.length, batch.problemCount]).toEqual([1000, 1500]);
  });

  it('bounds the metrics of the long form', () => {
    const lines = Array.from({ length: 4 }, (_, at) => `1706370000,m${at},1`).join('\n');
    const mapping = { long: { metricColumn: 2, valueColumn: 3 } };
    const decoder = new CsvDecoder(mapping, { ...DEFAULT_DECODE_LIMITS, samplesMax: 3 });
    const into = new CsvBatch();
    decoder.push(Buffer.from(`time,m,v\n${lines}\n`), into);
    expect(() => decoder.end(into)).toThrow(/more than 3 metrics/);
  });
});
