import { expect, test } from 'vitest';
import { Layout, LayoutKeeper } from './layout.ts';

test('what cannot be removed is tried again, and holds up nothing else', async () => {
  const keeper = new LayoutKeeper(new Layout([], []));
  const dropped: string[] = [];
  let isBroken = true;
  keeper.replace(new Layout([], []), async () => {
    if (isBroken) throw new Error('busy');
    dropped.push('first');
  });
  keeper.replace(new Layout([], []), async () => {
    dropped.push('second');
  });
  expect(await keeper.dropRetired()).toEqual([new Error('busy')]);
  expect(dropped).toEqual(['second']);
  isBroken = false;
  expect(await keeper.dropRetired()).toEqual([]);
  expect(await keeper.dropRetired()).toEqual([]);
  expect(dropped).toEqual(['second', 'first']);
});

test('what a query may still read stays until it is done', async () => {
  const keeper = new LayoutKeeper(new Layout([], []));
  const lease = keeper.lease();
  let isDropped = false;
  keeper.replace(new Layout([], []), async () => {
    isDropped = true;
  });
  await keeper.dropRetired();
  expect(isDropped).toBe(false);
  lease.release();
  await keeper.dropRetired();
  expect(isDropped).toBe(true);
});
