/**
 * A reader in a thread of its own: tells the sum of the sequence numbers up to a given position, then waits for more and
 * tells the code of the error that ends it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isFieldlineError } from '@fieldline/kit';
import { recordsOf } from '../testing.ts';
import { openEmbeddedLogReader, type SharedLog } from './embedded-reader.ts';

const { shared, until } = workerData as { shared: SharedLog; until: number };
const reader = openEmbeddedLogReader({ shared });
let next = 0;
let sum = 0;
while (next < until) {
  const batch = await reader.read('telemetry.raw', 0, next, { waitMs: 20_000 });
  if (batch === null) throw new Error(`no record at ${next} within 20 s`);
  if (batch.firstPosition !== next) throw new Error(`asked for ${next}, got ${batch.firstPosition}`);
  for (const { sequence } of recordsOf(batch)) sum += sequence;
  next += batch.count;
}
const committed = await reader.committedPosition('other', 'telemetry.raw', 0);
parentPort!.postMessage({ next, sum, committed });
try {
  while ((await reader.read('telemetry.raw', 0, next, { waitMs: 20_000 })) === null) {
    // Closing ends a wait without a record; the read after it is refused.
  }
} catch (error) {
  parentPort!.postMessage(isFieldlineError(error) ? error.code : String(error));
}
await reader.close();
