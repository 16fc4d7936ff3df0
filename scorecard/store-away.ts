/**
 * Line 10: the store cannot write (its file system, a small one of its own, is full), while samples come in. Ingestion does not
 * notice; when the store is back, what waits in the log is stored at a multiple of the live rate, and nothing is missing.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiSession } from '../tests/support/api-session.ts';
import { SampleStream } from '../tests/support/sample-stream.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { mountProblem, SmallDisk } from '../tests/support/small-disk.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { median } from './process-figures.ts';

const CATCH_UP_FACTOR_MIN = 3;
/** Ingestion is unaffected: at least this share of the rate before, at most so many times the delay. */
const RATE_SHARE_MIN = 0.8;
const DELAY_FACTOR_MAX = 2;
const LOAD = { window: 2, samplesPerMessage: 10, pauseMs: 40 };
const DEVICES = 20;

export const storeAway: ScorecardLine = {
  number: 10,
  what: 'store away',
  must: `0 lost, ingestion unaffected, catch-up at ${CATCH_UP_FACTOR_MIN} times the live rate or more`,
  async run(form) {
    const folder = temporaryFolder('store-away');
    const dataDir = join(folder.path, 'data');
    const problem = mountProblem(join(folder.path, 'try'));
    if (problem !== null) return { passed: null, figure: problem };
    await (await startServer({ dataDir })).stop();
    const disk = new SmallDisk(join(dataDir, 'store'), form === 'long' ? 2048 : 512);
    const server = await startServer({ dataDir });
    try {
      const outcome = await measure(server, disk, form);
      await server.stop();
      return outcome;
    } finally {
      await server.kill();
      disk.unmount();
      folder.remove();
    }
  },
};

async function measure(server: RunningServer, disk: SmallDisk, form: Form): Promise<Outcome> {
  const api = await ApiSession.signIn(server.url);
  const stream = await SampleStream.begin(server, api, DEVICES, LOAD);
  await stream.flows();
  const before = await ingestion(stream, 5_000);
  disk.fill();
  const during = await ingestion(stream, form === 'long' ? 600_000 : 25_000);
  const waiting = await lagRecords(api);
  const acknowledgedBefore = stream.acknowledged;
  disk.empty();
  const started = performance.now();
  const liveRecordsPerSecond = during.perSecond / LOAD.samplesPerMessage;
  while ((await lagRecords(api)) > liveRecordsPerSecond / 2) {
    if (performance.now() - started > 300_000) throw new Error('the store had not caught up after 300 s');
    await sleep(50);
  }
  const seconds = (performance.now() - started) / 1000;
  const stored = waiting + (stream.acknowledged - acknowledgedBefore) / LOAD.samplesPerMessage;
  const factor = stored / seconds / liveRecordsPerSecond;
  await stream.finish();
  const { acknowledged, lost, doubled } = await stream.compare(api);
  const findings = [
    ...(lost + doubled > 0 ? [`${lost} lost, ${doubled} doubled`] : []),
    ...(waiting < liveRecordsPerSecond * 10 ? [`only ${waiting} records waited: the store was not away`] : []),
    ...(factor < CATCH_UP_FACTOR_MIN ? [`caught up at ${factor.toFixed(1)} times the live rate`] : []),
    ...(during.perSecond < before.perSecond * RATE_SHARE_MIN ? ['fewer samples were taken in while it was away'] : []),
    ...(during.delayMs > before.delayMs * DELAY_FACTOR_MAX ? ['acknowledgements took longer while it was away'] : []),
  ];
  const figure =
    `${lost} lost of ${acknowledged.toLocaleString('en-US')}; ${waiting.toLocaleString('en-US')} records caught up in ` +
    `${seconds.toFixed(1)} s, ${factor.toFixed(1)} × live; PUBACK median ${before.delayMs.toFixed(1)} → ${during.delayMs.toFixed(1)} ms`;
  return { passed: findings.length === 0, figure, findings };
}

/** Samples per second and median delay of acknowledgements over some time. */
async function ingestion(stream: SampleStream, durationMs: number): Promise<{ perSecond: number; delayMs: number }> {
  stream.takeDelays();
  const [started, acknowledged] = [performance.now(), stream.acknowledged];
  await sleep(durationMs);
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: (stream.acknowledged - acknowledged) / seconds, delayMs: median(stream.takeDelays()) };
}

async function lagRecords(api: ApiSession): Promise<number> {
  return (await api.call<{ lag: { records: number } }>('GET', 'pipeline/health')).lag.records;
}
