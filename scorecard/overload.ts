/**
 * Overload: devices send as fast as their connections take it, far more than is stored in the same time, beside others who
 * behave. Memory stays flat, the others lose nothing, and once it is over acknowledgements are as quick as before.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApiSession, type DeviceCredentials } from '../tests/support/api-session.ts';
import { SampleStream } from '../tests/support/sample-stream.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { quantile, residentMb } from './process-figures.ts';

const FLOOD = fileURLToPath(new URL('../tests/support/flood.ts', import.meta.url));
const FLOODING_DEVICES = 8;
/** The whole load that is borne takes 1,300; sealing that never pauses takes the rest. */
const RESIDENT_MB_MAX = 2000;
/** Between the beginning and the end of the flood, behind its first fifth. */
const GROWTH_MB_MAX = 150;
const RECOVERY_MS_MAX = 60_000;
/** What ten minutes of it leave in the log takes its time to be stored. */
const CATCH_UP_MS_MAX = 3_600_000;

export const overload: ScorecardLine = {
  number: 17,
  what: 'overload',
  must: 'memory flat, 0 lost of those who behave, acknowledged as before within a minute of its end',
  async run(form, say) {
    const folder = temporaryFolder('overload');
    const server = await startServer({ dataDir: folder.path });
    try {
      const outcome = await measure(server, form, say);
      await server.stop();
      return outcome;
    } finally {
      await server.kill();
      folder.remove();
    }
  },
};

async function measure(server: RunningServer, form: Form, say: (text: string) => void): Promise<Outcome> {
  const api = await ApiSession.signIn(server.url);
  const stream = await SampleStream.begin(server, api, 4, { window: 4, pauseMs: 20 });
  await stream.flows();
  stream.takeDelays();
  await sleep(4000);
  const normalMs = quantile(stream.takeDelays(), 0.99);
  const flood = await floodFor(
    server,
    await api.createDevices(FLOODING_DEVICES, 'flood-'),
    form === 'long' ? 600_000 : 12_000,
  );
  const duringMs = quantile(stream.takeDelays(), 0.99);
  const factor = flood.sentPerSecond / flood.storedPerSecond;
  const recoveredMs = await untilNormal(stream, normalMs);
  const settled = flood.residentMb.slice(Math.floor(flood.residentMb.length / 5));
  const half = Math.floor(settled.length / 2);
  const growthMb = Math.max(...settled.slice(half)) - Math.max(...settled.slice(0, half));
  const peakMb = Math.max(...flood.residentMb);
  const held =
    `${Math.round(flood.sentPerSecond).toLocaleString('en-US')} samples/s taken in (${factor.toFixed(1)} × stored), ` +
    `peak ${peakMb.toFixed(0)} MB, grew by ${growthMb.toFixed(0)} MB; ` +
    `PUBACK p99 ${normalMs.toFixed(0)} → ${duringMs.toFixed(0)} ms, back after ${(recoveredMs / 1000).toFixed(1)} s`;
  say(held);
  await stream.finish();
  const { acknowledged, lost, doubled } = await stream.compare(api, CATCH_UP_MS_MAX);
  const caughtUpS = (performance.now() - flood.endedMs) / 1000;
  const findings = [
    ...(lost + doubled > 0 ? [`${lost} lost, ${doubled} doubled of those who behave`] : []),
    ...(peakMb > RESIDENT_MB_MAX ? [`${peakMb.toFixed(0)} MB of memory`] : []),
    ...(growthMb > GROWTH_MB_MAX ? [`memory grew by ${growthMb.toFixed(0)} MB`] : []),
    ...(recoveredMs > RECOVERY_MS_MAX ? [`acknowledgements were slow for ${(recoveredMs / 1000).toFixed(0)} s`] : []),
  ];
  const figure = `${held}; ${lost} lost of ${acknowledged.toLocaleString('en-US')}, everything stored and compared after ${caughtUpS.toFixed(0)} s`;
  return { passed: findings.length === 0, figure, findings };
}

interface Flood {
  readonly sentPerSecond: number;
  readonly storedPerSecond: number;
  readonly residentMb: readonly number[];
  /** Monotonic. */
  readonly endedMs: number;
}

async function floodFor(
  server: RunningServer,
  devices: readonly DeviceCredentials[],
  durationMs: number,
): Promise<Flood> {
  const { mqtt, process: child } = server;
  const api = await ApiSession.signIn(server.url);
  const storedSamples = async (): Promise<number> =>
    (await api.call<{ totals: { samples: number } }>('GET', 'pipeline/health')).totals.samples;
  const residents: number[] = [];
  const before = await storedSamples();
  const program = spawn(process.execPath, [FLOOD, mqtt.host, String(mqtt.port), JSON.stringify(devices)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let sent = 0;
  createInterface({ input: program.stdout }).on('line', (line) => {
    sent = Number(line);
  });
  const started = performance.now();
  while (performance.now() - started < durationMs) {
    residents.push(residentMb(child.pid!));
    await sleep(250);
  }
  program.kill('SIGKILL');
  const endedMs = performance.now();
  const seconds = (endedMs - started) / 1000;
  return {
    endedMs,
    sentPerSecond: sent / seconds,
    storedPerSecond: Math.max(1, (await storedSamples()) - before) / seconds,
    residentMb: residents,
  };
}

/** Time until the slowest of a second's acknowledgements are as quick as before, or nearly so. */
async function untilNormal(stream: SampleStream, normalMs: number): Promise<number> {
  const started = performance.now();
  for (;;) {
    stream.takeDelays();
    await sleep(1000);
    const delays = stream.takeDelays();
    const elapsedMs = performance.now() - started;
    if (delays.length > 0 && quantile(delays, 0.99) <= Math.max(2 * normalMs, 100))
      return Math.max(0, elapsedMs - 1000);
    if (elapsedMs > 2 * RECOVERY_MS_MAX) return elapsedMs;
  }
}
