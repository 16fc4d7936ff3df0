/**
 * Line 26: `__proto__`, `constructor.prototype` and their like at every JSON door: MQTT payloads and topics, every route of the
 * contract, query strings, Socket.IO, imports, the configuration file. A watch in every thread of the server sees each change of
 * a prototype; no answer is a 5xx or gains a field, and every value that was taken in is there under its name.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../tests/support/api-session.ts';
import { fieldline } from '../tests/support/command-line.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';
import { tryRoutes, trySockets } from './prototype-doors.ts';
import { type Message, mappingOf, messagesOf, NAMES } from './prototype-payloads.ts';

const WATCH = new URL('../tests/support/prototype-watch.ts', import.meta.url).href;
/** Main, broker, log, pipeline and catalog. */
const THREADS_MIN = 4;

export const prototypePollution: ScorecardLine = {
  number: 26,
  what: 'prototype pollution',
  must: '0 prototypes changed, 0 values gone at any JSON door',
  async run(_, say) {
    const folder = temporaryFolder('prototype');
    const report = join(folder.path, 'report');
    const blind = blindness(join(folder.path, 'control'));
    if (blind !== null) return { passed: false, figure: blind };
    const server = await startServer({
      dataDir: join(folder.path, 'data'),
      environment: { NODE_OPTIONS: `--import=${WATCH}`, FIELDLINE_TEST_PROTOTYPE_REPORT: report },
    });
    try {
      return await judge(server, folder.path, report, say);
    } finally {
      await server.stop();
      folder.remove();
    }
  },
};

/** The watch sees a polluted prototype; null where it does. */
function blindness(report: string): string | null {
  const pollute = 'Object.prototype.polluted = 1; setTimeout(() => {}, 500)';
  spawnSync(process.execPath, [`--import=${WATCH}`, '-e', pollute], {
    env: { ...process.env, FIELDLINE_TEST_PROTOTYPE_REPORT: report },
  });
  const seen = readFileSync(report, 'utf8').includes('changed Object.prototype: polluted');
  return seen ? null : 'the watch does not see a change that was made on purpose';
}

async function judge(
  server: RunningServer,
  folder: string,
  report: string,
  say: (line: string) => void,
): Promise<Outcome> {
  const api = await ApiSession.signIn(server.url);
  const device = await api.createDevice('robot-1', 'robot');
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'prototype', scopes: ['ingest'] });
  const probe = await shapes(api, server, device);
  say('telemetry');
  const telemetry = await tryTelemetry(server, api, device, key);
  say('routes');
  const routes = await tryRoutes(server.url, api, key, device.id);
  say('Socket.IO, import, configuration');
  const sockets = await trySockets(server.url, api.accessToken, device.id);
  const findings = [
    ...telemetry.findings,
    ...routes.findings,
    ...sockets.findings,
    ...(await tryCommands(server, folder, key, device)),
  ];
  if ((await shapes(api, server, device)) !== probe) findings.push('answers have other fields than before');
  const watched = readFileSync(report, 'utf8').trim().split('\n');
  const threads = watched.filter((line) => line.endsWith(' looks')).length;
  if (threads < THREADS_MIN) findings.push(`only ${threads} threads were watched`);
  const changes = watched.filter((line) => line.includes(' changed '));
  findings.push(...changes);
  const tries = telemetry.tries + routes.tries + sockets.tries;
  return {
    passed: findings.length === 0,
    figure:
      `${changes.length} prototypes changed by ${tries.toLocaleString('en-US')} tries (${threads} threads watched); ` +
      `${telemetry.tries} messages = ${telemetry.stored} stored + ${telemetry.dead} dead letters`,
    findings: findings.slice(0, 20),
  };
}

/** The names of all fields that some answers have. */
async function shapes(api: ApiSession, server: RunningServer, device: DeviceCredentials): Promise<string> {
  const answers = await Promise.all([
    api.call('GET', 'auth/me'),
    api.call('GET', 'organization'),
    api.call('GET', `devices/${device.id}/connect`),
    fetch(`${server.url}/health/live`).then((answer) => answer.json()),
  ]);
  const names: string[] = [];
  JSON.stringify(answers, (name, value: unknown) => {
    names.push(name);
    return value;
  });
  return names.join(' ');
}

interface Totals {
  readonly samples: number;
  readonly deadLetters: number;
  readonly records: number;
}

async function tryTelemetry(server: RunningServer, api: ApiSession, device: DeviceCredentials, key: string) {
  await api.call('POST', 'mappings', mappingOf('mapped'));
  const before = await totalsOf(api);
  const startMs = Date.now() - 3_600_000;
  let times = 0;
  const time = (): number => startMs + times++ * 7;
  const messages = messagesOf(device, 'mapped', time);
  const named: [DeviceCredentials, Message[]][] = [];
  for (const name of NAMES.filter((candidate) => /^[a-z]/i.test(candidate))) {
    const own = await api.createDevice(name, 'robot');
    named.push([own, messagesOf(own, 'mapped', time)]);
  }
  for (const [of, all] of [[device, messages] as const, ...named]) await publishAll(server, of, all);
  const posted = await postAll(server, key, device, time);
  const tries = messages.length + named.reduce((sum, [, all]) => sum + all.length, 0) + posted.taken;
  const after = await eventually(
    'the pipeline',
    async () => {
      const now = await totalsOf(api);
      return now.lag === 0 && now.records - before.records >= tries ? now : null;
    },
    60_000,
  );
  const [stored, dead] = [after.samples - before.samples, after.deadLetters - before.deadLetters];
  const findings = [...posted.findings];
  if (stored + dead !== tries) findings.push(`${tries} messages, ${stored} stored and ${dead} dead letters`);
  for (const [of, all] of [[device, [...messages, ...posted.messages]] as const, ...named]) {
    findings.push(...(await missing(api, of, all, startMs, time())));
  }
  return { tries, stored, dead, findings };
}

async function publishAll(
  server: RunningServer,
  device: DeviceCredentials,
  messages: readonly Message[],
): Promise<void> {
  const { id: username, token: password } = device;
  const client = await mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username,
    password,
    reconnectPeriod: 0,
  });
  for (const { topic, payload } of messages)
    await client.publishAsync(topic, Buffer.from(payload as string), { qos: 1 });
  await client.endAsync();
}

/** Over HTTP, in both forms. What is refused must say which key is the matter. */
async function postAll(server: RunningServer, key: string, { key: deviceId }: DeviceCredentials, time: () => number) {
  const messages: Pick<Message, 'metric' | 'ts'>[] = [];
  const findings: string[] = [];
  let taken = 0;
  for (const name of NAMES) {
    const [first, second] = [time(), time()];
    const bodies: [body: string, metric: string | null, ts: number][] = [
      [
        `{"readings":[{"equipmentId":"${deviceId}","sensorType":"${name}","value":6,"timestamp":${first}}]}`,
        name,
        first,
      ],
      [`{"deviceId":"${deviceId}","ts":${second},"metrics":{"${name}":7}}`, name, second],
      [`{"deviceId":"${name}-unknown","metrics":{"a":1}}`, null, 0],
    ];
    for (const [body, metric, ts] of bodies) {
      const headers = { 'content-type': 'application/json', 'x-api-key': key };
      const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, { method: 'POST', headers, body });
      const text = await answer.text();
      if (answer.status === 202) {
        taken += 1;
        messages.push({ metric, ts });
      } else if (answer.status !== 400 || !text.includes(name))
        findings.push(`HTTP ${answer.status} for ${body}: ${text}`);
    }
  }
  return { taken, messages, findings };
}

/** Samples that are not to be found under their name, in the history, among the latest or in the list of metrics. */
async function missing(
  api: ApiSession,
  { id, key }: DeviceCredentials,
  messages: readonly Pick<Message, 'metric' | 'ts'>[],
  startMs: number,
  endMs: number,
): Promise<string[]> {
  const findings: string[] = [];
  const names = new Set(messages.flatMap(({ metric }) => (metric === null ? [] : [metric])));
  const latest = (await api.call<{ metrics: object }>('GET', `telemetry/device/${id}/latest`)).metrics;
  const listed = JSON.stringify(await api.call('GET', `devices/${id}/metrics`));
  for (const name of names) {
    const times = new Set((await api.samples(id, name, startMs, endMs)).map(([ts]) => ts));
    const gone = messages.filter(({ metric, ts }) => metric === name && !times.has(ts)).length;
    if (gone > 0) findings.push(`${gone} samples of ${key} ${name} are not there`);
    if (!Object.hasOwn(latest, name)) findings.push(`${key} ${name} is not among the latest values`);
    if (!listed.includes(`"${name}"`)) findings.push(`${key} ${name} is not among the metrics`);
  }
  return findings;
}

async function totalsOf(api: ApiSession): Promise<Totals & { lag: number }> {
  const { totals, lag } = await api.call<{ totals: Totals; lag: { records: number } }>('GET', 'pipeline/health');
  return { ...totals, lag: lag.records };
}

/** Programs that read files: an import and a configuration. Both must say what they do not take. */
async function tryCommands(server: RunningServer, folder: string, key: string, device: DeviceCredentials) {
  const findings: string[] = [];
  const file = join(folder, 'import.csv');
  writeFileSync(file, `time,${NAMES.join(',')}\n2026-01-01T00:00:00Z,${NAMES.map(() => 8).join(',')}\n`);
  const load = (...flags: string[]) =>
    fieldline(['import', file, '--url', server.url, '--device', device.key, ...flags], {
      FIELDLINE_IMPORT_API_KEY: key,
    });
  const refused = await load();
  if (refused.code !== 1 || !refused.stderr.includes('__proto__')) findings.push(`import: ${refused.stderr}`);
  const mapped = await load('--map', NAMES.map((name, index) => (index === 0 ? `${name}=proto` : name)).join(','));
  if (mapped.code !== 0 || !mapped.stdout.includes(`${NAMES.length} samples`))
    findings.push(`import: ${mapped.stderr}`);
  for (const name of NAMES) {
    const config = join(folder, 'fieldline.yaml');
    writeFileSync(config, `${name}:\n  prototype:\n    polluted: 1\n`);
    const { code, stderr } = await fieldline(['config'], { FIELDLINE_CONFIG: config });
    if (code === 0 || !stderr.includes(`there is no setting ${name}.prototype`))
      findings.push(`config ${name}: ${stderr}`);
  }
  return findings;
}
