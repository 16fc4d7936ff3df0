/**
 * The bridge from an external broker, whole: a real Mosquitto, stock clients that publish there, the real program that is killed
 * in the middle. Everything that Mosquitto was given is stored once; what belongs to nobody is a dead letter with its reason.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { freePort } from './support/free-port.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const folder = temporaryFolder('external-broker');
const file = (name: string): string => join(folder.path, name);
const START_MS = Date.now() - 3_600_000;
const MESSAGES = 3_000;

let mosquitto: ChildProcess;
let port: number;
let tlsPort: number;
let environment: Record<string, string>;
let server: RunningServer;
let api: ApiSession;
let press: DeviceCredentials;
let client: MqttClient;

beforeAll(async () => {
  port = await freePort();
  tlsPort = await freePort();
  makeCertificates();
  writeFileSync(
    file('mosquitto.conf'),
    [
      'user root', // Else it could not read the keys where the test runs as root.
      'allow_anonymous true',
      'max_queued_messages 100000',
      `listener ${port} 127.0.0.1`,
      `listener ${tlsPort} 127.0.0.1`,
      `cafile ${file('ca.pem')}`,
      `certfile ${file('broker.pem')}`,
      `keyfile ${file('broker.key')}`,
      'require_certificate true',
      '',
    ].join('\n'),
  );
  mosquitto = spawn('mosquitto', ['-c', file('mosquitto.conf')], { stdio: 'ignore' });
  await eventually('Mosquitto', () => isOpen(port));
  environment = {
    FIELDLINE_CONNECTORS_MQTT_URL: `mqtts://127.0.0.1:${tlsPort}`,
    FIELDLINE_CONNECTORS_MQTT_CA_FILE: file('ca.pem'),
    FIELDLINE_CONNECTORS_MQTT_CERT_FILE: file('bridge.pem'),
    FIELDLINE_CONNECTORS_MQTT_KEY_FILE: file('bridge.key'),
    FIELDLINE_CONNECTORS_MQTT_CONNECTIONS: '2',
  };
  server = await startServer({ dataDir: file('data'), environment });
  api = await ApiSession.signIn(server.url);
  press = await api.createDevice('press-4', 'machine');
  client = await connectAsync({ host: '127.0.0.1', port, protocolVersion: 5 });
  await bridgeStands();
});

afterAll(async () => {
  await client?.endAsync(true);
  await server?.stop();
  mosquitto?.kill();
  folder.remove();
});

test('everything that the external broker was given is stored once, through kill and restart', async () => {
  const topic = `v1/telemetry/${press.organizationId}/press-4`;
  const publish = async (from: number, to: number): Promise<void> => {
    for (let number = from; number < to; number++) {
      await client.publishAsync(topic, JSON.stringify({ ts: START_MS + number, metrics: { number } }), { qos: 1 });
    }
  };
  const first = publish(0, MESSAGES / 2);
  await eventually('some samples', async () => ((await stored()).length > 100 ? true : null));
  await server.kill();
  await first;
  await publish(MESSAGES / 2, MESSAGES);
  server = await startServer({ dataDir: file('data'), environment });
  api = await ApiSession.signIn(server.url);
  await eventually('all samples', async () => ((await stored()).length >= MESSAGES ? true : null), 60_000, 500);
  expect(await stored()).toEqual(Array.from({ length: MESSAGES }, (_, number) => [START_MS + number, number]));
});

test('what belongs to nobody is a dead letter that says why', async () => {
  await bridgeStands();
  const gone = await api.createDevice('gone-1');
  await api.call('PATCH', `devices/${gone.id}`, { lifecycle: 'decommissioned' });
  const body = '{"metrics":{"a":1}}';
  const organization = press.organizationId;
  await client.publishAsync(`v1/telemetry/${organization}/nobody`, body, { qos: 1 });
  await client.publishAsync('v1/telemetry/0f9a0000-0000-7000-8000-00000000dead/press-4', body, { qos: 1 });
  await client.publishAsync(`v1/telemetry/${organization}/gone-1`, body, { qos: 1 });
  await client.publishAsync('uns', 'not mapped', { qos: 1 });
  await client.publishAsync(`v1/telemetry/${organization}/press-4`, '{"metrics":', { qos: 1 });
  const reasons = await eventually('five dead letters', async () => {
    const { items } = await api.call<{ items: { code: string }[] }>('GET', 'dead-letters?limit=50');
    return items.length >= 5 ? items.map(({ code }) => code).sort() : null;
  });
  expect(reasons).toEqual(
    [
      'DEVICE_UNKNOWN',
      'ORGANIZATION_MISMATCH',
      'DEVICE_DECOMMISSIONED',
      'TOPIC_UNMAPPED',
      'PAYLOAD_NOT_DECODABLE',
    ].sort(),
  );
});

test('the external broker goes away: told, and taken up again', async () => {
  mosquitto.kill('SIGKILL');
  await once(mosquitto, 'exit');
  const problem = await eventually('the problem', async () => (await connectors()).problem ?? null);
  expect(problem).toContain(`external broker mqtts://127.0.0.1:${tlsPort}`);
  mosquitto = spawn('mosquitto', ['-c', file('mosquitto.conf')], { stdio: 'ignore' });
  await bridgeStands(60_000);
});

function stored(): Promise<[number, number][]> {
  return api.samples(press.id, 'number', START_MS, START_MS + MESSAGES);
}

async function connectors(): Promise<{ ready: boolean; problem?: string }> {
  const { parts } = (await (await fetch(`${server.url}/health/ready`)).json()) as {
    parts: { name: string; ready: boolean; problem?: string }[];
  };
  return parts.find(({ name }) => name === 'connectors')!;
}

async function bridgeStands(limitMs?: number): Promise<void> {
  await eventually('the bridge', async () => ((await connectors()).ready ? true : null), limitMs);
}

function isOpen(at: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(at, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(null));
  });
}

/** An authority, and certificates of it for the broker and for the bridge. */
function makeCertificates(): void {
  const openssl = (...options: string[]): void => {
    execFileSync('openssl', options, { stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout'];
  openssl('req', '-x509', ...key, file('ca.key'), '-days', '2', '-out', file('ca.pem'), '-subj', '/CN=Test CA');
  for (const name of ['broker', 'bridge']) {
    openssl('req', ...key, file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', `/CN=${name}`);
    writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1');
    const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('names')];
    openssl('x509', '-req', '-in', file(`${name}.csr`), ...signer, '-days', '2', '-out', file(`${name}.pem`));
  }
}
