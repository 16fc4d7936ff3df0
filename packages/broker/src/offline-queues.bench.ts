/**
 * Queues of clients that are away: how long the broker's thread stands still at most while they fill, while the journal is
 * replaced, and while they are fetched; and what they take in memory and on disk.
 * `node packages/broker/src/offline-queues.bench.ts [MiB in all] [payloadBytes] [sessions]`
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { connectClient, startBroker, until } from './testing/harness.ts';

const [megabytes = 256, payloadBytes = 1024, sessionCount = 100] = process.argv.slice(2).map(Number);
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'fieldline-queues-'));
const journal = join(folder, 'sessions.journal');
const limits = {
  queueBytesMax: 2 * megabytes * MIB,
  queueBytesPerSessionMax: 64 * MIB,
  queueBytesPerDeviceMax: 64 * MIB,
};

/** Runs `work` and tells how long the thread stood still at most meanwhile. */
async function phase(name: string, work: () => Promise<string>): Promise<void> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const startedMs = performance.now();
  const outcome = await work();
  delays.disable();
  const seconds = (performance.now() - startedMs) / 1000;
  const { rss, heapUsed } = process.memoryUsage();
  console.log(
    `${name.padEnd(28)} ${seconds.toFixed(1).padStart(6)} s  longest stall ${(delays.max / 1e6).toFixed(1).padStart(6)} ms, p99.9 ${(delays.percentile(99.9) / 1e6).toFixed(1)} ms  ` +
      `resident ${(rss / MIB).toFixed(0)} MiB, heap ${(heapUsed / MIB).toFixed(0)} MiB, journal ${(statSync(journal).size / MIB).toFixed(0)} MiB  ${outcome}`,
  );
}

const test = await startBroker({ dataDir: folder, limits });
const publish = (session: number, payload: Buffer): Promise<void> =>
  test.broker.publish({ organizationId: 'org-1', topic: `app/${session}`, payload, qos: 1 });
const each = Math.floor((megabytes * MIB) / sessionCount / (payloadBytes + 150));

await phase('sessions made', async () => {
  for (let session = 0; session < sessionCount; session++) {
    const client = await connectClient(test, `dev-${session}`, {
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    await client.subscribeAsync(`app/${session}`, { qos: 1 });
    await client.endAsync();
  }
  return `${sessionCount}`;
});
await phase('queues filled', async () => {
  const payload = Buffer.alloc(payloadBytes, 0x61);
  for (let round = 0; round < each; round++) {
    const waiting = Array.from({ length: sessionCount }, (_, session) => publish(session, payload));
    await waiting.at(-1);
  }
  return `${each * sessionCount} messages, ${(test.broker.statistics().queuedBytes / MIB).toFixed(0)} MiB queued`;
});
await phase('one message at a time', async () => {
  // The journal is replaced again when it has doubled: messages that nobody keeps for long make it grow.
  const retained = Buffer.alloc(512 * 1024);
  let replaced = 0;
  let before = statSync(journal).size;
  for (let sent = 0; replaced < 1 && sent < 10 * megabytes; sent++) {
    await test.broker.publish({ organizationId: 'org-1', topic: 'app/r', payload: retained, qos: 1, retain: true });
    const size = statSync(journal).size;
    if (size < before) replaced += 1;
    before = size;
  }
  return `journal replaced ${replaced} time`;
});
await phase('fetched by another thread', async () => {
  const fetching = new Worker(new URL('./testing/fetch-queues.ts', import.meta.url), {
    workerData: { port: test.port, sessionCount },
  });
  const [count] = (await once(fetching, 'message')) as [number];
  await until(() => test.broker.statistics().queuedBytes === 0, 'everything is acknowledged', 60_000);
  await fetching.terminate();
  return `${count} messages`;
});
await test.broker.stop();
rmSync(folder, { recursive: true });
