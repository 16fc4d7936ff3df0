/**
 * Line 14: 10,000 payloads, most of them bad, over MQTT (JSON and Protobuf) and HTTP. Each is one sample or one dead letter,
 * exactly; what must be stored is stored, what must not is not; and both are still told so after a restart.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@fieldline/kit';
import mqtt from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../tests/support/api-session.ts';
import { seedOfRun } from '../tests/support/seed.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { jsonCases, METRIC, mutatedCase, type PayloadCase, protobufCases } from './bad-payload-cases.ts';
import type { Outcome, ScorecardLine } from './line.ts';
import { NAUGHTY_STRINGS } from './naughty-strings.ts';

const MESSAGES = 10_000;
const STEP_MS = 11;
const UNDER_WAY = 200;

interface Totals {
  readonly records: number;
  readonly samples: number;
  readonly deadLetters: number;
}

interface Sent extends PayloadCase {
  /** Time of the sample, ms; what is stored is found by it. */
  readonly ts: number;
}

export const badPayloads: ScorecardLine = {
  number: 14,
  what: 'bad payloads',
  must: 'in = stored + dead letters, exactly',
  async run(_, say) {
    const folder = temporaryFolder('bad-payloads');
    const server = await startServer({ dataDir: folder.path });
    try {
      return await judge(server, say);
    } finally {
      await server.stop();
      folder.remove();
    }
  },
};

async function judge(server: RunningServer, say: (line: string) => void): Promise<Outcome> {
  const api = await ApiSession.signIn(server.url);
  const device = await api.createDevice('bad-payloads', 'robot');
  const before = await totalsOf(api);
  const startMs = Date.now() - 3_600_000;
  let times = 0;
  const time = (): number => startMs + times++ * STEP_MS;
  const seed = seedOfRun();
  say(`seed ${seed}`);
  const http = await sendOverHttp(api, server, device, time);
  const json = cases(() => jsonCases(time), time);
  const protobuf = cases(() => protobufCases(time), time);
  const mutated: Sent[] = [];
  const chance = seededRandom(seed);
  while (http + json.length + protobuf.length + mutated.length < MESSAGES) {
    mutated.push(...cases(() => [mutatedCase(time, chance)], time));
  }
  await publishAll(server, device, `v1/telemetry/${device.organizationId}/${device.key}`, [...json, ...mutated]);
  await publishAll(server, device, `robots/${device.key}/sensors/force/data`, protobuf);
  const sent = http + json.length + protobuf.length + mutated.length;
  const after = await eventually('the pipeline', async () => settled(await totalsOf(api), before, sent), 60_000);
  const [stored, dead] = [after.samples - before.samples, after.deadLetters - before.deadLetters];
  const findings = await misjudged(api, device, [...json, ...mutated], startMs, time());
  const listed = await countDeadLetters(api);
  if (listed !== dead) findings.push(`${dead} dead letters were counted, ${listed} are listed`);
  const ready = (await fetch(`${server.url}/health/ready`)).status;
  if (ready !== 200) findings.push(`/health/ready answers ${ready}`);
  return {
    passed: sent === stored + dead && findings.length === 0,
    figure: `${sent} in = ${stored} stored + ${dead} dead letters`,
    findings,
  };
}

/** Each case with the time that it took. */
function cases(make: () => PayloadCase[], time: () => number): Sent[] {
  const from = time();
  return make().map((made) => {
    const found = /"ts":(\d{13})\b/.exec(Buffer.from(made.payload).toString('latin1'));
    return { ...made, ts: found === null ? from : Number(found[1]) };
  });
}

async function publishAll(
  server: RunningServer,
  device: DeviceCredentials,
  topic: string,
  messages: readonly Sent[],
): Promise<void> {
  const client = await mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username: device.id,
    password: device.token,
    reconnectPeriod: 0,
  });
  for (let first = 0; first < messages.length; first += UNDER_WAY) {
    const group = messages.slice(first, first + UNDER_WAY);
    await Promise.all(group.map(({ payload }) => client.publishAsync(topic, Buffer.from(payload), { qos: 1 })));
  }
  await client.endAsync();
}

/** Values that are JSON and no readings, and readings of devices that there are not. Returns how many were taken in. */
async function sendOverHttp(
  api: ApiSession,
  server: RunningServer,
  device: DeviceCredentials,
  time: () => number,
): Promise<number> {
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'bad payloads', scopes: ['ingest'] });
  const values: unknown[] = [null, {}, [], [1], { value: null }, { value: [] }, 1, 'text', true, ...NAUGHTY_STRINGS];
  const bodies = [
    ...values.map((value) => [{ deviceId: device.key, ts: time(), metrics: { [METRIC]: value } }]),
    ...NAUGHTY_STRINGS.map((name) => [{ deviceId: name, ts: time(), metrics: { [METRIC]: 1 } }]),
  ].map((body) => JSON.stringify(body));
  let taken = 0;
  for (const body of [...bodies, '', '{', '[]', '[[]]', 'NaN', `${'['.repeat(10_000)}`]) {
    const headers = { 'content-type': 'application/json', 'x-api-key': key };
    const { status } = await fetch(`${server.url}/api/v1/webhook/sensor-data`, { method: 'POST', headers, body });
    if (status === 202) taken += 1;
    else if (status < 400 || status >= 500) throw new Error(`HTTP ${status} for ${body.slice(0, 100)}`);
  }
  return taken;
}

async function totalsOf(api: ApiSession): Promise<Totals & { lag: number }> {
  const { totals, lag } = await api.call<{ totals: Totals; lag: { records: number } }>('GET', 'pipeline/health');
  return { ...totals, lag: lag.records };
}

async function settled(now: Totals & { lag: number }, before: Totals, sent: number): Promise<Totals | null> {
  if (now.lag > 0 || now.records - before.records < sent) await sleep(100);
  return now.lag === 0 && now.records - before.records >= sent ? now : null;
}

/** Cases that became something else than they must. */
async function misjudged(
  api: ApiSession,
  device: DeviceCredentials,
  sent: readonly Sent[],
  startMs: number,
  endMs: number,
): Promise<string[]> {
  const samples = await api.samples(device.id, METRIC, startMs, endMs + 1);
  const times = new Set(samples.map(([timeMs]) => timeMs));
  return sent.flatMap(({ name, fate, ts }) => {
    if (fate === 'either' || times.has(ts) === (fate === 'stored')) return [];
    return [`${name} must be ${fate}, and is not`];
  });
}

async function countDeadLetters(api: ApiSession): Promise<number> {
  let count = 0;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: unknown[]; nextCursor: string | null } = await api.call(
      'GET',
      `dead-letters?limit=1000${query}`,
    );
    count += page.items.length;
    cursor = page.nextCursor;
  } while (cursor !== null);
  return count;
}
