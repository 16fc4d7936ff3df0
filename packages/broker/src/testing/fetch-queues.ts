/** A thread that connects as dev-0, dev-1, … and takes what waits for them; tells how many messages came when none comes any more. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from 'mqtt';

const QUIET_MS = 1_000;

const { port, sessionCount } = workerData as { port: number; sessionCount: number };
let count = 0;
let last = performance.now();
for (let session = 0; session < sessionCount; session++) {
  const name = `dev-${session}`;
  const client = connect({
    host: '127.0.0.1',
    port,
    clientId: name,
    username: name,
    password: 'secret',
    protocolVersion: 5,
    reconnectPeriod: 0,
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
  });
  // Before it is connected: messages come right behind CONNACK.
  client.on('message', () => {
    count += 1;
    last = performance.now();
  });
  await new Promise((resolve) => client.once('connect', resolve));
}
while (performance.now() - last < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 50));
parentPort!.postMessage(count);
