/** HTTP ingest at 100, 500, 1,000 and 2,000 requests a second over kept-alive connections: response times, and nothing refused. */
import { Agent, request } from 'node:http';
import { ApiSession } from '../tests/support/api-session.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { type Bench, type BenchOptions, type BenchResult, type Figure, quantile } from './figures.ts';

/** Requests a second and the 95th percentile, in ms, that they must keep. */
const STEPS: readonly (readonly [rate: number, p95MsMax: number])[] = [
  [100, 50],
  [500, 100],
  [1000, 200],
  [2000, 500],
];

async function run(options: BenchOptions): Promise<BenchResult> {
  const folder = temporaryFolder('bench');
  const server = await startServer({ dataDir: folder.path });
  try {
    const api = await ApiSession.signIn(server.url);
    await api.createDevices(50, 'http-');
    const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'bench', scopes: ['ingest'] });
    const figures: Figure[] = [];
    const seconds = Math.max(3, Math.round(options.seconds / STEPS.length));
    let refused = 0;
    for (const [rate, must] of STEPS) {
      const step = await load(server.url, key, rate, seconds);
      refused += step.refused;
      figures.push({
        name: `${rate} requests/s, p95`,
        value: quantile(step.took, 0.95),
        unit: 'ms',
        better: 'less',
        must,
      });
    }
    figures.push({ name: 'requests refused or failed', value: refused, unit: '', better: 'less', must: 0 });
    return { figures, notes: [`4 readings a request, ${seconds} s each step, 64 connections`] };
  } finally {
    await server.stop();
    folder.remove();
  }
}

async function load(
  url: string,
  key: string,
  rate: number,
  seconds: number,
): Promise<{ took: number[]; refused: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const took: number[] = [];
  let refused = 0;
  let open = 0;
  const post = (number: number): void => {
    const started = performance.now();
    open += 1;
    const body = JSON.stringify({
      readings: ['temperature', 'vibration', 'pressure', 'voltage'].map((sensorType, index) => ({
        equipmentId: `http-${String(number % 50).padStart(5, '0')}`,
        sensorType,
        value: index * 10 + (number % 100) / 100,
        timestamp: Date.now(),
      })),
    });
    const done = (failed: boolean): void => {
      open -= 1;
      if (failed) refused += 1;
      else took.push(performance.now() - started);
    };
    const call = request(`${url}/api/v1/webhook/sensor-data`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'content-length': Buffer.byteLength(body) },
    });
    call.on('response', (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode !== 202));
    });
    call.on('error', () => done(true));
    call.end(body);
  };
  const started = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = (performance.now() - started) / 1000;
      while (sent < elapsed * rate && sent < seconds * rate) {
        post(sent);
        sent += 1;
      }
      if (elapsed >= seconds && open === 0) {
        clearInterval(timer);
        resolve();
      }
    }, 5);
  });
  agent.destroy();
  return { took, refused };
}

export const httpIngest: Bench = {
  name: 'http',
  describes: 'POST webhook/sensor-data with an API key, durable before the answer',
  run,
};
