/** All doors of the broker in the real program: TCP, TLS, WebSocket and WebSocket over TLS; certificates renewed while it runs. */
import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, eventually } from './support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const folder = temporaryFolder('doors');
const file = (name: string): string => join(folder.path, name);
let server: RunningServer;
let login: { username: string; password: string };
let topic = '';

function certificate(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file(`${name}.key`)];
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', '-out', file(`${name}.pem`), ...subject], {
    stdio: 'ignore',
  });
}

function install(name: string): void {
  cpSync(file(`${name}.key`), file('server.key'));
  cpSync(file(`${name}.pem`), file('server.pem'));
}

beforeAll(async () => {
  for (const name of ['first', 'second']) certificate(name);
  install('first');
  server = await startServer({
    dataDir: file('data'),
    environment: {
      FIELDLINE_BROKER_TLS_CERT_FILE: file('server.pem'),
      FIELDLINE_BROKER_TLS_KEY_FILE: file('server.key'),
      FIELDLINE_BROKER_TLS_HOST: '127.0.0.1',
      FIELDLINE_BROKER_TLS_PORT: '0',
      FIELDLINE_BROKER_WS_ENABLED: 'true',
      FIELDLINE_BROKER_WS_PORT: '0',
      FIELDLINE_BROKER_WS_TLS_HOST: '127.0.0.1',
      FIELDLINE_BROKER_WS_TLS_PORT: '0',
    },
  });
  const api = await ApiSession.signIn(server.url);
  const created = await api.call<{ device: { id: string; organizationId: string }; token: string }>('POST', 'devices', {
    key: 'press-4',
    name: 'Press 4',
    kind: 'machine',
  });
  login = { username: created.device.id, password: created.token };
  topic = `v1/telemetry/${created.device.organizationId}/press-4`;
});

afterAll(async () => {
  await server?.stop();
  folder.remove();
});

test('a message through each door is stored', async () => {
  const urls = [
    `mqtt://127.0.0.1:${server.mqtt.port}`,
    `mqtts://127.0.0.1:${server.mqttTlsPort}`,
    ...server.mqttWebSocketUrls,
  ];
  expect(urls.map((url) => url.split(':')[0])).toEqual(['mqtt', 'mqtts', 'ws', 'wss']);
  for (const url of urls) {
    const client = await connectAsync(url, { ...login, protocolVersion: 5, rejectUnauthorized: false });
    const metric = url.split(':')[0]!;
    await client.publishAsync(topic, JSON.stringify({ metrics: { [metric]: 1 } }), { qos: 1 });
    await client.endAsync();
  }
  const api = await ApiSession.signIn(server.url);
  await eventually('a sample of each door', async () => {
    const answer = await api.call<{ metrics: object }>('GET', 'telemetry/device/press-4/latest').catch(() => null);
    return Object.keys(answer?.metrics ?? {})
      .sort()
      .join() === 'mqtt,mqtts,ws,wss'
      ? true
      : null;
  });
});

test('a stranger is not told whether there is such a device', async () => {
  const refusals: unknown[] = [];
  for (const username of [login.username, '01900000-0000-7000-8000-000000000000']) {
    const client = connectAsync(`mqtt://127.0.0.1:${server.mqtt.port}`, {
      username,
      password: 'wrong',
      protocolVersion: 5,
      reconnectPeriod: 0,
    });
    refusals.push(await client.catch((error: { code: number; message: string }) => [error.code, error.message]));
  }
  expect(refusals[0]).toEqual(refusals[1]);
});

test('a renewed certificate is shown to new connections; one that is none changes nothing', async () => {
  const shown = (port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN as string);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  const ports = [server.mqttTlsPort!, Number(new URL(server.mqttWebSocketUrls[1]!).port)];
  expect(await Promise.all(ports.map(shown))).toEqual(['first', 'first']);
  cpSync(file('second.pem'), file('server.pem')); // with the key of the first: they do not go together
  await eventually('the mismatch to be told', async () =>
    server.lastLines().includes('the changed files of broker.tls cannot be used') ? true : null,
  );
  expect(await Promise.all(ports.map(shown))).toEqual(['first', 'first']);
  install('second');
  await eventually('the new certificate', async () => {
    const names = await Promise.all(ports.map(shown));
    return names.every((name) => name === 'second') ? true : null;
  });
});
