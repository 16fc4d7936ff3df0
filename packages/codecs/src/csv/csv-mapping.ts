/**
 * How a CSV file is to be read. Plain data, so that it can stand in YAML or JSON. Everything may be left out: separator,
 * decimal comma and time column are then found in the first lines, and every other named column is a metric.
 */
export type CsvSeparator = ',' | ';' | '\t' | '|';

export interface CsvMapping {
  /** Absent = found in the first lines. */
  readonly separator?: CsvSeparator;
  /** True where numbers read 1,5. Absent = found in the first lines. */
  readonly decimalComma?: boolean;
  /** Default '"'. */
  readonly quote?: string;
  /** Whether the first line names the columns; default true. Without it columns are called column1, column2 … */
  readonly header?: boolean;
  /** Default 'utf-8'; older spreadsheets write 'windows-1252'. */
  readonly encoding?: 'utf-8' | 'utf-16le' | 'windows-1252';
  readonly time?: CsvTimeColumn;
  /** The column that names the device; absent = the file is of one device. */
  readonly deviceColumn?: CsvColumnRef;
  /** Wide form: which columns are metrics. Absent = all that have a name and no other meaning. */
  readonly columns?: readonly CsvValueColumn[];
  /** Long form: one column names the metric, another holds the value. */
  readonly long?: {
    readonly metricColumn: CsvColumnRef;
    readonly valueColumn: CsvColumnRef;
    readonly unitColumn?: CsvColumnRef;
  };
  /** Cells that mean "nothing", beside empty ones; default DEFAULT_MISSING. */
  readonly missing?: readonly string[];
}

/** A column by the name in the header or by its number, from 1. */
export type CsvColumnRef = string | number;

export interface CsvTimeColumn {
  /** Absent = the first column that is called like a time and holds one. */
  readonly column?: CsvColumnRef;
  /**
   * 'auto' (default: ISO 8601 or an epoch told by its size), 'iso', 'epoch-s', 'epoch-ms', 'epoch-us', or a pattern of
   * YYYY MM DD HH mm ss SSS such as 'DD.MM.YYYY HH:mm:ss'.
   */
  readonly format?: string;
  /** Where the clock stood for times without a zone: 'UTC' (default), '+02:00' or an IANA name such as 'Europe/Berlin'. */
  readonly zone?: string;
}

export interface CsvValueColumn {
  readonly column: CsvColumnRef;
  /** Absent = the column's name. */
  readonly metric?: string;
  /** UCUM code. */
  readonly unit?: string;
  /** Absent = what the first cell that is not empty holds. */
  readonly kind?: 'number' | 'boolean' | 'text';
}

export const DEFAULT_MISSING: readonly string[] = [
  'NaN',
  'nan',
  'NA',
  'N/A',
  'n/a',
  '#N/A',
  'null',
  'NULL',
  'None',
  '-',
];
