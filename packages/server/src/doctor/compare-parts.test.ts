import { expect, test } from 'vitest';
import { compareSeries } from './compare-parts.ts';

const ORGANIZATION = 'o';
const series = (id: number, subjectId: string, metricKey = 'n') => ({
  id,
  organizationId: ORGANIZATION,
  subjectId,
  metricKey,
});
const catalog = (known: ReturnType<typeof series>[] | null, deviceIds: string[] = []) => ({
  ...{ part: 'catalog', counts: {}, findings: [] },
  known: known === null ? null : { series: known, deviceIds },
});

test('series that the catalog does not know are told apart by their devices; those that it means otherwise are no accident', () => {
  const stored = [series(1, 'a'), series(2, 'b'), series(3, 'c'), series(4, 'a', 'm')];
  expect(compareSeries('/d', stored, catalog(stored))).toEqual([]);
  expect(compareSeries('/d', stored, catalog(null))).toEqual([]);
  const found = compareSeries('/d', stored, catalog([series(1, 'a'), series(4, 'b', 'm')], ['a', 'b']));
  expect(found.map(({ place, mend }) => [place, mend])).toEqual([
    ['1 series: m of a', 'none'],
    ['1 series: n of b', 'restart'],
    ['1 series: n of c', 'none'],
  ]);
});
