/**
 * Units by their UCUM codes, as far as plants use them: what can be converted into each other by a line, x → factor·x + offset.
 * Source: The Unified Code for Units of Measure, tables of base, derived and customary units (case-sensitive codes).
 */

export interface LinearConversion {
  readonly factor: number;
  readonly offset: number;
}

/** Dimension, and the line to the dimension's base unit. */
type Unit = readonly [dimension: string, factor: number, offset?: number];

const UNITS: Readonly<Record<string, Unit>> = {
  K: ['temperature', 1],
  Cel: ['temperature', 1, 273.15],
  '[degF]': ['temperature', 5 / 9, 459.67 * (5 / 9)],
  '[degR]': ['temperature', 5 / 9],
  Pa: ['pressure', 1],
  bar: ['pressure', 1e5],
  '[psi]': ['pressure', 6894.757293168361],
  atm: ['pressure', 101_325],
  'mm[Hg]': ['pressure', 133.322387415],
  m: ['length', 1],
  '[in_i]': ['length', 0.0254],
  '[ft_i]': ['length', 0.3048],
  '[mi_i]': ['length', 1609.344],
  s: ['time', 1],
  min: ['time', 60],
  h: ['time', 3600],
  d: ['time', 86_400],
  g: ['mass', 1],
  t: ['mass', 1e6],
  '[lb_av]': ['mass', 453.59237],
  L: ['volume', 1e-3],
  l: ['volume', 1e-3],
  m3: ['volume', 1],
  '[gal_us]': ['volume', 3.785411784e-3],
  'm/s': ['speed', 1],
  'mm/s': ['speed', 1e-3],
  'm/min': ['speed', 1 / 60],
  'km/h': ['speed', 1 / 3.6],
  '[ft_i]/s': ['speed', 0.3048],
  '[ft_i]/min': ['speed', 0.3048 / 60],
  'm/s2': ['acceleration', 1],
  '[g]': ['acceleration', 9.80665],
  Hz: ['frequency', 1],
  '/min': ['frequency', 1 / 60],
  '{rpm}': ['frequency', 1 / 60],
  '/s': ['frequency', 1],
  rad: ['angle', 1],
  deg: ['angle', Math.PI / 180],
  'rad/s': ['angular speed', 1],
  'deg/s': ['angular speed', Math.PI / 180],
  V: ['voltage', 1],
  A: ['current', 1],
  W: ['power', 1],
  '[HP]': ['power', 745.6998715822702],
  J: ['energy', 1],
  'W.h': ['energy', 3600],
  N: ['force', 1],
  'N.m': ['torque', 1],
  Ohm: ['resistance', 1],
  F: ['capacitance', 1],
  S: ['conductance', 1],
  '1': ['ratio', 1],
  '%': ['ratio', 0.01],
  '[ppm]': ['ratio', 1e-6],
  'm3/h': ['volume flow', 1 / 3600],
  'm3/s': ['volume flow', 1],
  'L/min': ['volume flow', 1e-3 / 60],
  'L/s': ['volume flow', 1e-3],
  'L/h': ['volume flow', 1e-3 / 3600],
  'kg/h': ['mass flow', 1000 / 3600],
  'kg/s': ['mass flow', 1000],
};

/** Units that take metric prefixes, UCUM 27–29. */
const METRIC = new Set([
  'Pa',
  'bar',
  'm',
  's',
  'g',
  'L',
  'l',
  'Hz',
  'rad',
  'V',
  'A',
  'W',
  'J',
  'W.h',
  'N',
  'N.m',
  'Ohm',
  'F',
  'S',
  'K',
  't',
  'm/s',
]);
const PREFIXES: Readonly<Record<string, number>> = {
  T: 1e12,
  G: 1e9,
  M: 1e6,
  k: 1e3,
  h: 1e2,
  da: 1e1,
  d: 1e-1,
  c: 1e-2,
  m: 1e-3,
  u: 1e-6,
  n: 1e-9,
  p: 1e-12,
};

function unitOf(code: string): Unit | null {
  const plain = Object.hasOwn(UNITS, code) ? UNITS[code] : undefined;
  if (plain !== undefined) return plain;
  for (const [prefix, power] of Object.entries(PREFIXES)) {
    const base = code.startsWith(prefix) ? code.slice(prefix.length) : '';
    if (METRIC.has(base)) return [UNITS[base]![0], UNITS[base]![1] * power];
  }
  return null;
}

/** True for a code that this table can convert. Others are kept as they are told. */
export function isKnownUnit(code: string): boolean {
  return unitOf(code) !== null;
}

/**
 * The line that turns values of one unit into another; the identity where one is not told ('') or both are the same; null
 * where they measure different things or one is not in the table.
 */
export function linearConversion(from: string, to: string): LinearConversion | null {
  if (from === to || from === '' || to === '') return { factor: 1, offset: 0 };
  const source = unitOf(from);
  const target = unitOf(to);
  if (source === null || target === null || source[0] !== target[0]) return null;
  const factor = source[1] / target[1];
  return { factor, offset: ((source[2] ?? 0) - (target[2] ?? 0)) / target[1] };
}
