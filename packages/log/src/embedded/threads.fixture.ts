/** A reader in a thread of its own: tells the sum and the count of the sequence numbers up to a given position. */
import { parentPort, workerData } from 'node:worker_threads';
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
await reader.close();
