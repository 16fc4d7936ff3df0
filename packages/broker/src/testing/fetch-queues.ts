/** A thread that connects as dev-0, dev-1, … and takes what waits for them; tells how many messages came when none comes any more. */
import { parentPort, workerData } from 'node:worker_threads';
import { connectClient } from './harness.ts';

const QUIET_MS = 1_000;

const { port, sessionCount } = workerData as { port: number; sessionCount: number };
let count = 0;
let last = performance.now();
for (let session = 0; session < sessionCount; session++) {
  const client = await connectClient({ port }, `dev-${session}`, {
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
  });
  client.on('message', () => {
    count += 1;
    last = performance.now();
  });
}
while (performance.now() - last < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 50));
parentPort!.postMessage(count);
