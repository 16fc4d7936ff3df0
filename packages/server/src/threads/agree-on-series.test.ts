import { silentLogger } from '@fieldline/kit';
import type { StoredSeries } from '@fieldline/model';
import { expect, test } from 'vitest';
import { agreeOnSeries } from './agree-on-series.ts';

function series(id: number, metricKey = `m${id}`): StoredSeries {
  return {
    ...{ id, metricKey, organizationId: 'plant', subjectKind: 'device', subjectId: 'press-4' },
    ...{ valueKind: 'number', unit: '', metadata: {} },
  } as StoredSeries;
}

/** What the catalog is told when the store knows these and the catalog those; null = nothing. */
async function told(stored: StoredSeries[], known: StoredSeries[], highestId: number): Promise<unknown> {
  let call: unknown = null;
  await agreeOnSeries({
    store: { definedSeries: async () => ({ series: stored, highestId }) },
    directory: {
      series: (id) => known.find((one) => one.id === id) as never,
      allSeries: () => known.values() as never,
    },
    catalog: {
      restoreSeries: async (unknown, highest) => {
        call = [unknown.map(({ id }) => id), highest];
        return unknown.length;
      },
    },
    logger: silentLogger,
  });
  return call;
}

test('a store and a catalog that agree leave each other alone', async () => {
  expect(await told([series(1), series(2)], [series(1), series(2), series(3)], 2)).toBe(null);
});

test('series that the catalog does not know are told to it, with the highest number that has samples', async () => {
  expect(await told([series(1), series(2), series(3)], [series(1)], 7)).toEqual([[2, 3], 7]);
  expect(await told([], [series(1)], 7)).toEqual([[], 7]);
});

test('a number that means two things is refused, whatever else there is', async () => {
  await expect(told([series(1), series(2, 'flow')], [series(1), series(2, 'pressure')], 2)).rejects.toMatchObject({
    code: 'CONFIG_CONFLICT',
    message: expect.stringContaining('series 2 is flow of press-4 in the store and pressure of press-4 in the catalog'),
  });
});
