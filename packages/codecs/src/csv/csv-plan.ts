/** Which column of a CSV file means what: the mapping, applied to the columns that the file has. */
import { DecodeError, type DecodeLimits } from '../codec.ts';
import { isMetricKey } from '../metric-key.ts';
import { shown } from '../payload-text.ts';
import type { CellKind } from './csv-cell.ts';
import type { CsvDialect } from './csv-dialect.ts';
import { type CsvColumnRef, type CsvMapping, DEFAULT_MISSING } from './csv-mapping.ts';

/** Columns are counted from 0 here; −1 = none. */
export interface CsvPlan {
  readonly timeColumn: number;
  readonly deviceColumn: number;
  readonly values: readonly ValuePlan[];
  readonly long: { readonly metricColumn: number; readonly valueColumn: number; readonly unitColumn: number } | null;
  readonly missing: ReadonlySet<string>;
  readonly used: ReadonlySet<number>;
  /** The first column without a name. */
  readonly unnamedFrom: number;
}

export interface ValuePlan {
  readonly column: number;
  readonly metric: string;
  unit: string;
  /** null until the first cell that is not empty shows it. */
  kind: CellKind | null;
}

/** Throws DecodeError where the mapping names a column that is not there, or where no time column can be found. */
export function planColumns(dialect: CsvDialect, mapping: CsvMapping, limits: DecodeLimits): CsvPlan {
  const names = dialect.columnNames;
  const timeColumn = mapping.time?.column === undefined ? dialect.timeColumn : find(mapping.time.column, names);
  if (timeColumn < 0) {
    throw new DecodeError(
      'PAYLOAD_WRONG_SHAPE',
      `no column holds times (columns: ${listed(names)}); set time.column and time.format`,
    );
  }
  const deviceColumn = mapping.deviceColumn === undefined ? -1 : find(mapping.deviceColumn, names);
  const long = mapping.long && {
    metricColumn: find(mapping.long.metricColumn, names),
    valueColumn: find(mapping.long.valueColumn, names),
    unitColumn: mapping.long.unitColumn === undefined ? -1 : find(mapping.long.unitColumn, names),
  };
  const values = long ? [] : valuePlans(names, mapping, new Set([timeColumn, deviceColumn]), limits);
  const unnamed = names.indexOf('');
  return {
    timeColumn,
    deviceColumn,
    values,
    long: long ?? null,
    missing: new Set(mapping.missing ?? DEFAULT_MISSING),
    used: new Set([timeColumn, deviceColumn, ...values.map((value) => value.column)]),
    unnamedFrom: unnamed < 0 ? names.length : unnamed,
  };
}

function valuePlans(
  names: readonly string[],
  mapping: CsvMapping,
  taken: ReadonlySet<number>,
  limits: DecodeLimits,
): ValuePlan[] {
  const plans =
    mapping.columns?.map((value): ValuePlan => {
      const column = find(value.column, names);
      return { column, metric: value.metric ?? names[column]!, unit: value.unit ?? '', kind: value.kind ?? null };
    }) ??
    names.flatMap((name, column): ValuePlan[] =>
      name === '' || taken.has(column) ? [] : [{ column, metric: name, unit: '', kind: null }],
    );
  for (const { metric, column } of plans) {
    if (isMetricKey(metric, limits.metricKeyLengthMax)) continue;
    throw new DecodeError(
      'METRIC_KEY_INVALID',
      `column ${column + 1}: ${shown(metric)} cannot be a metric key; map it`,
    );
  }
  return plans;
}

function find(reference: CsvColumnRef, names: readonly string[]): number {
  const column = typeof reference === 'number' ? reference - 1 : names.indexOf(reference.trim());
  if (column >= 0 && (typeof reference === 'string' || column < names.length)) return column;
  throw new DecodeError(
    'PAYLOAD_WRONG_SHAPE',
    `the file has no column ${typeof reference === 'number' ? reference : shown(reference)}; it has ${listed(names)}`,
  );
}

function listed(names: readonly string[]): string {
  const first = names.filter((name) => name !== '').slice(0, 12);
  return first.map(shown).join(', ') + (names.length > first.length ? ', …' : '');
}
