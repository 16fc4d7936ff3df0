/** One cell to a value: a number (with point or comma), a boolean, or a text. */

export type CellKind = 'number' | 'boolean' | 'text';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NUMBER_WITH_COMMA = /^[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?$/;
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  yes: true,
  no: false,
  on: true,
  off: false,
};

/** A number as spreadsheets write it; NaN for anything else. Marks between thousands are not taken: 1.234 is ambiguous. */
export function cellNumber(cell: string, decimalComma: boolean): number {
  if (!decimalComma) return NUMBER.test(cell) ? Number(cell) : Number.NaN;
  return NUMBER_WITH_COMMA.test(cell) ? Number(cell.replace(',', '.')) : Number.NaN;
}

/** True, true, yes, on / False, false, no, off; in a column that is known to be boolean also 1 and 0. */
export function cellBoolean(cell: string): boolean | null {
  if (cell === '1' || cell === '0') return cell === '1';
  const word = cell.toLowerCase();
  return Object.hasOwn(BOOLEANS, word) ? BOOLEANS[word]! : null;
}

/** What a cell holds, to decide what its column holds. */
export function kindOfCell(cell: string, decimalComma: boolean): CellKind {
  if (!Number.isNaN(cellNumber(cell, decimalComma))) return 'number';
  return cellBoolean(cell) === null ? 'text' : 'boolean';
}
