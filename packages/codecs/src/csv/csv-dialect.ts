/** What the first lines of a CSV file tell about it: separator, decimal comma, columns, where the time is. */
import type { CsvMapping, CsvSeparator } from './csv-mapping.ts';
import { CsvRecords } from './csv-records.ts';
import { timeReader } from './csv-time.ts';

export interface CsvDialect {
  readonly separator: CsvSeparator;
  readonly decimalComma: boolean;
  /** Names by column: trimmed, a name that stands twice numbered (temp, temp_2); '' = has none. */
  readonly columnNames: readonly string[];
  /** From 0; −1 = no column looks like a time. */
  readonly timeColumn: number;
}

const SEPARATORS: readonly CsvSeparator[] = [';', '\t', '|', ','];
const RECORDS_LOOKED_AT = 50;
const TIME_NAME = /^(?:ts|time|date|datetime|zeit|datum|zeitstempel)$|timestamp|date.?time|^time|time$|_at$/i;

/** Looks at the beginning of a file (some kilobytes are enough); what the mapping tells is taken as told. */
export function detectCsv(head: string, mapping: CsvMapping = {}): CsvDialect {
  const quote = mapping.quote ?? '"';
  const separator = mapping.separator ?? detectSeparator(head, quote);
  const records = recordsOf(head, separator, quote);
  const named = mapping.header ?? true;
  const columnNames = uniqueNames(named ? (records[0] ?? []) : (records[0] ?? []).map((_, at) => `column${at + 1}`));
  const rows = named ? records.slice(1) : records;
  const decimalComma = mapping.decimalComma ?? (separator !== ',' && hasDecimalComma(rows));
  return { separator, decimalComma, columnNames, timeColumn: detectTime(columnNames, rows, mapping) };
}

/** The separator that splits most lines into the same number of cells, more than one. */
function detectSeparator(head: string, quote: string): CsvSeparator {
  let best: CsvSeparator = ',';
  let bestScore = 0;
  for (const separator of SEPARATORS) {
    const widths = recordsOf(head, separator, quote).map((cells) => cells.length);
    const width = widths[0] ?? 1;
    const alike = widths.filter((other) => other === width).length;
    const score = width < 2 ? 0 : alike / widths.length;
    if (score > bestScore) {
      best = separator;
      bestScore = score;
    }
  }
  return best;
}

function recordsOf(head: string, separator: string, quote: string): string[][] {
  const found: string[][] = [];
  // The last line may be cut off: it counts only where it is the only one.
  const whole = head.includes('\n') ? head.slice(0, head.lastIndexOf('\n') + 1) : head;
  new CsvRecords(separator, quote).push(whole, true, (cells) => {
    if (found.length < RECORDS_LOOKED_AT) found.push(cells);
  });
  return found;
}

function uniqueNames(cells: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return cells.map((cell) => {
    const name = cell.trim();
    if (name === '') return '';
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name}_${times}`;
  });
}

/** More numbers with a comma than with a point: a point may also stand between thousands. */
function hasDecimalComma(rows: readonly string[][]): boolean {
  const cells = rows.flat();
  const withComma = cells.filter((cell) => /^\s*[+-]?\d+,\d+/.test(cell)).length;
  return withComma > cells.filter((cell) => /^\s*[+-]?\d+\.\d+\s*$/.test(cell)).length;
}

/** A column that is called like a time and mostly holds times; else the first one that holds nothing but ISO 8601. */
function detectTime(names: readonly string[], rows: readonly string[][], mapping: CsvMapping): number {
  const read = timeReader(mapping.time?.format, mapping.time?.zone);
  const mostlyTimes = (column: number): boolean => {
    const cells = rows.map((row) => row[column]?.trim() ?? '').filter((cell) => cell !== '');
    return cells.filter((cell) => !Number.isNaN(read(cell))).length * 2 >= cells.length;
  };
  const called = names.findIndex((name, column) => TIME_NAME.test(name) && mostlyTimes(column));
  if (called >= 0 || rows.length === 0) return called;
  const readIso = timeReader('iso');
  return names.findIndex((_, column) => rows.every((row) => !Number.isNaN(readIso(row[column] ?? ''))));
}
