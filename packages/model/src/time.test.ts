import { expect, test } from 'vitest';
import { isMicros, isoToMicros, microsToIso, TIME_MAX } from './time.ts';

const at = (...parts: Parameters<typeof Date.UTC>): number => Date.UTC(...parts) * 1000;

test.each([
  ['2024-01-27T15:20:00Z', at(2024, 0, 27, 15, 20)],
  ['2024-01-27T15:20:00.123456Z', at(2024, 0, 27, 15, 20) + 123_456],
  ['2024-01-27T15:20:00.123456789Z', at(2024, 0, 27, 15, 20) + 123_456],
  ['2024-01-27T15:20:00,5Z', at(2024, 0, 27, 15, 20) + 500_000],
  ['2024-01-27T15:20:00+02:00', at(2024, 0, 27, 13, 20)],
  ['2024-01-27T15:20:00-0530', at(2024, 0, 27, 20, 50)],
  ['2024-01-27T15:20:00+02', at(2024, 0, 27, 13, 20)],
  ['2024-01-27 15:20', at(2024, 0, 27, 15, 20)],
  ['2024-01-27', at(2024, 0, 27)],
  ['2024-02-30T00:00:00Z', Number.NaN],
  ['2024-13-01', Number.NaN],
  ['2024-01-27T25:00:00Z', Number.NaN],
  ['27.01.2024', Number.NaN],
  ['', Number.NaN],
  ['yesterday', Number.NaN],
])('ISO text %s', (text, expected) => {
  expect(isoToMicros(text)).toBe(expected);
});

test('what is written is read back', () => {
  for (const micros of [0, 1, 999_999, 1_706_370_000_123_456, TIME_MAX])
    expect(isoToMicros(microsToIso(micros))).toBe(micros);
  expect(microsToIso(1_706_370_000_000_000)).toBe('2024-01-27T15:40:00.000Z');
});

test.each([
  [0, true],
  [TIME_MAX, true],
  [TIME_MAX + 1, false],
  [-1, false],
  [1.5, false],
  [Number.NaN, false],
])('%s is a time: %s', (value, expected) => {
  expect(isMicros(value)).toBe(expected);
});
