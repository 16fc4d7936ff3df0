/**
 * A CSV file to samples, chunk by chunk; the caller does the reading. One line is one record: in the wide form a time
 * and a value per metric column, in the long form a time, a metric and a value. What cannot be read is told with line,
 * column and remedy, and the rest goes on. Empty cells bring no sample.
 *
 * A decoder throws DecodeError only for what makes the whole file unreadable: a column that is not there, no time
 * column, a wrong encoding, a quote that is never closed, a mapping that is none.
 */
import { type Micros, QUALITY_GOOD } from '@fieldline/model';
import { DEFAULT_DECODE_LIMITS, DecodeError, type DecodeErrorCode, type DecodeLimits } from '../codec.ts';
import { isMetricKey } from '../metric-key.ts';
import { shown } from '../payload-text.ts';
import type { CsvBatch } from './csv-batch.ts';
import { cellBoolean, cellNumber, kindOfCell } from './csv-cell.ts';
import { type CsvDialect, detectCsv } from './csv-dialect.ts';
import type { CsvMapping } from './csv-mapping.ts';
import { checkCsvMapping } from './csv-mapping-check.ts';
import { type CsvPlan, planColumns, type ValuePlan } from './csv-plan.ts';
import { CsvRecords } from './csv-records.ts';
import { type TimeReader, timeReader } from './csv-time.ts';

/** So much of the file is looked at before the first record is given out. */
const HEAD_LENGTH = 16 * 1024;

export class CsvDecoder {
  /** Bytes taken in so far, to show progress. */
  byteLength = 0;
  /** Known as soon as the head of the file has come in. */
  dialect: CsvDialect | null = null;
  readonly #mapping: CsvMapping;
  readonly #limits: DecodeLimits;
  readonly #text: TextDecoder;
  readonly #readTime: TimeReader;
  #head = '';
  #records: CsvRecords | null = null;
  #plan: CsvPlan | null = null;
  #headerPending: boolean;
  /** Kinds of metrics in the long form, as their first value shows them. */
  readonly #longPlans = new Map<string, ValuePlan>();

  constructor(mapping: CsvMapping = {}, limits: DecodeLimits = DEFAULT_DECODE_LIMITS) {
    this.#mapping = checkCsvMapping(mapping);
    this.#limits = limits;
    this.#text = new TextDecoder(mapping.encoding ?? 'utf-8', { fatal: true });
    this.#readTime = timeReader(mapping.time?.format, mapping.time?.zone);
    this.#headerPending = mapping.header ?? true;
  }

  /** Takes the next bytes and adds the records that are complete. Give chunks of some 64 KiB and empty the batch between. */
  push(chunk: Uint8Array, into: CsvBatch): void {
    this.byteLength += chunk.length;
    this.#feed(this.#decode(chunk, true), false, into);
  }

  /** The end of the file: adds what is left. */
  end(into: CsvBatch): void {
    this.#feed(this.#decode(new Uint8Array(0), false), true, into);
  }

  #decode(chunk: Uint8Array, stream: boolean): string {
    try {
      return this.#text.decode(chunk, { stream });
    } catch {
      const encoding = this.#mapping.encoding ?? 'utf-8';
      throw new DecodeError(
        'PAYLOAD_NOT_DECODABLE',
        `the file is not ${encoding} (around byte ${this.byteLength}); set encoding, e.g. windows-1252`,
      );
    }
  }

  #feed(text: string, final: boolean, into: CsvBatch): void {
    let rest = text;
    if (this.#records === null) {
      this.#head += text;
      if (this.#head.length < HEAD_LENGTH && !final) return;
      this.dialect = detectCsv(this.#head.slice(0, HEAD_LENGTH * 4), this.#mapping);
      this.#plan = planColumns(this.dialect, this.#mapping, this.#limits);
      this.#records = new CsvRecords(this.dialect.separator, this.#mapping.quote ?? '"');
      rest = this.#head;
      this.#head = '';
    }
    this.#records.push(rest, final, (cells, lineNumber) => {
      if (this.#headerPending) this.#headerPending = false;
      else this.#addRecord(cells, lineNumber, into);
    });
  }

  #addRecord(cells: readonly string[], lineNumber: number, into: CsvBatch): void {
    const plan = this.#plan!;
    const timeCell = cells[plan.timeColumn] ?? '';
    const time = this.#readTime(timeCell);
    if (Number.isNaN(time)) {
      const message = `${shown(timeCell)} is no time; set time.format (now ${this.#mapping.time?.format ?? 'auto'})`;
      this.#tell(lineNumber, plan.timeColumn, 'TIME_INVALID', message, into);
      return;
    }
    into.beginRecord(lineNumber, plan.deviceColumn < 0 ? '' : (cells[plan.deviceColumn] ?? '').trim());
    if (plan.long === null) {
      for (const value of plan.values) this.#addCell(value, cells[value.column] ?? '', time, lineNumber, into);
    } else this.#addLong(cells, time, lineNumber, into);
    this.#tellUnnamed(cells, lineNumber, into);
  }

  #addLong(cells: readonly string[], time: Micros, lineNumber: number, into: CsvBatch): void {
    const { metricColumn, valueColumn, unitColumn } = this.#plan!.long!;
    const metric = (cells[metricColumn] ?? '').trim();
    if (!isMetricKey(metric, this.#limits.metricKeyLengthMax)) {
      const message = `${shown(metric)} is no metric key; it must have 1 to ${this.#limits.metricKeyLengthMax} characters`;
      this.#tell(lineNumber, metricColumn, 'METRIC_KEY_INVALID', message, into);
      return;
    }
    let plan = this.#longPlans.get(metric);
    if (plan === undefined) {
      if (this.#longPlans.size === this.#limits.samplesMax) {
        const message = `more than ${this.#limits.samplesMax} metrics in one file; is the metric column the right one?`;
        throw new DecodeError('PAYLOAD_OVER_LIMIT', message);
      }
      plan = { column: valueColumn, metric, unit: '', kind: null };
      this.#longPlans.set(metric, plan);
    }
    if (unitColumn >= 0) plan.unit = (cells[unitColumn] ?? '').trim();
    this.#addCell(plan, cells[valueColumn] ?? '', time, lineNumber, into);
  }

  #addCell(plan: ValuePlan, cell: string, time: Micros, lineNumber: number, into: CsvBatch): void {
    const text = cell.trim();
    if (text === '' || this.#plan!.missing.has(text)) return;
    const { decimalComma } = this.dialect!;
    plan.kind ??= kindOfCell(text, decimalComma);
    if (!this.#addValue(plan, text, time, decimalComma, into)) {
      const message = `${shown(text)} is no ${plan.kind} that can be stored${plan.kind === 'number' ? hint(text, decimalComma) : ''}`;
      this.#tell(lineNumber, plan.column, 'VALUE_NOT_ACCEPTED', message, into);
    } else if (plan.unit !== '') into.samples.unitOfLast(plan.unit);
  }

  /** False where the text is not of the column's kind. */
  #addValue(plan: ValuePlan, text: string, time: Micros, decimalComma: boolean, into: CsvBatch): boolean {
    if (plan.kind === 'number') {
      const value = cellNumber(text, decimalComma);
      if (!Number.isFinite(value)) return false;
      into.samples.addNumber(plan.metric, time, value, QUALITY_GOOD);
    } else if (plan.kind === 'boolean') {
      const value = cellBoolean(text);
      if (value === null) return false;
      into.samples.addBoolean(plan.metric, time, value, QUALITY_GOOD);
    } else {
      if (text.length > this.#limits.textLengthMax || text.includes('\0') || !text.isWellFormed()) return false;
      into.samples.addText(plan.metric, time, text, QUALITY_GOOD);
    }
    return true;
  }

  /** Cells with something in them under no name are not passed over in silence. */
  #tellUnnamed(cells: readonly string[], lineNumber: number, into: CsvBatch): void {
    const names = this.dialect!.columnNames;
    for (let column = this.#plan!.unnamedFrom; column < cells.length; column++) {
      if (cells[column]!.trim() === '' || (names[column] ?? '') !== '' || this.#plan!.used.has(column)) continue;
      const message = `${shown(cells[column]!)} stands in a column without a name; name it in the header or map it by number`;
      this.#tell(lineNumber, column, 'PAYLOAD_WRONG_SHAPE', message, into);
    }
  }

  #tell(lineNumber: number, column: number, code: DecodeErrorCode, problem: string, into: CsvBatch): void {
    const columnName = this.dialect!.columnNames[column] ?? '';
    const place = `line ${lineNumber}, column ${column + 1}${columnName === '' ? '' : ` (${columnName})`}`;
    into.addProblem({ lineNumber, columnNumber: column + 1, columnName, code, message: `${place}: ${problem}` });
  }
}

function hint(text: string, decimalComma: boolean): string {
  if (!decimalComma && text.includes(',')) return '; set decimalComma: true where 1,5 is a number';
  if (decimalComma && text.includes('.')) {
    return '; numbers of this file are taken as 1,5 (decimalComma: false changes that), marks between thousands are not taken';
  }
  return '; leave the cell empty or set the column to kind: text';
}
