import { expect, test } from 'vitest';
import { DirectoryReached } from './directory-reached.ts';

test('waits for the slowest follower, not for one that is there already', async () => {
  const reached = new DirectoryReached();
  reached.note('api', 7);
  reached.note('broker', 5);
  let settled = false;
  const wait = reached.until(7).then(() => {
    settled = true;
  });
  reached.note('broker', 6);
  await Promise.resolve();
  expect(settled).toBe(false);
  reached.note('broker', 8);
  await wait;
  await reached.until(7);
});
