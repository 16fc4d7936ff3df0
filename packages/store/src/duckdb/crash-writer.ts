/**
 * The child process of the crash test: appends numbered samples and says each position on standard output once append() has
 * resolved, with background work all the time. It is killed by its parent; it never ends by itself.
 *
 * Position n brings 50 rows: series 1 + (row mod 5), source time unique, value n. Every tenth repeats rows of the one before
 * with a higher version.
 */

import { crashBatch, TOPIC } from './crash-rows.ts';
import { openDuckdbStore } from './open-store.ts';

const store = await openDuckdbStore({
  dir: process.argv[2]!,
  sealAfterMs: 0,
  compactAfterMs: 0,
  rollUpAfterMs: 0,
  walBytesMax: 0,
});
let position = await store.acquire(TOPIC, 0);
void (async () => {
  for (;;) await store.maintain(Date.now() * 1000);
})();
for (;;) {
  position = { ...position, next: position.next + 1 };
  await store.append(crashBatch(position.next), position);
  process.stdout.write(`${position.next}\n`);
}
