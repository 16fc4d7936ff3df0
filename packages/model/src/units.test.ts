import { expect, test } from 'vitest';
import { isKnownUnit, linearConversion } from './units.ts';

test.each([
  ['[degF]', 'Cel', 212, 100],
  ['Cel', '[degF]', -40, -40],
  ['K', 'Cel', 273.15, 0],
  ['bar', '[psi]', 1, 14.503773773],
  ['kPa', 'bar', 150, 1.5],
  ['mbar', 'Pa', 1, 100],
  ['mm', 'm', 1500, 1.5],
  ['km/h', 'm/s', 36, 10],
  ['{rpm}', 'Hz', 3000, 50],
  ['%', '1', 50, 0.5],
  ['kW.h', 'MJ', 1, 3.6],
  ['L/min', 'm3/h', 1000, 60],
  ['mA', 'A', 20, 0.02],
  ['deg', 'rad', 180, Math.PI],
  ['x', 'x', 7, 7],
  ['', 'Cel', 7, 7],
])('%s → %s: %d is %d', (from, to, sent, stored) => {
  const conversion = linearConversion(from, to)!;
  expect(sent * conversion.factor + conversion.offset).toBeCloseTo(stored, 9);
});

test.each([
  ['bar', 'Cel'],
  ['furlong', 'm'],
  ['constructor', 'm'],
])('%s → %s cannot be', (from, to) => {
  expect(linearConversion(from, to)).toBeNull();
});

test('a prefix alone is no unit', () => {
  expect(['k', 'mm', 'kPa', 'kCel', 'm', 'da'].map(isKnownUnit)).toEqual([false, true, true, false, true, false]);
});
