/** TLS and mutual TLS with certificates made here: CN = device id, and only a verified certificate counts. */
import { connect, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, createBroker } from './broker.ts';
import type { ConnectRequest, TlsListenerOptions } from './options.ts';
import { Authority } from './testing/authority.ts';

let broker: Broker;
let authority: Authority;
const requests: ConnectRequest[] = [];
const ports: Record<string, number> = {};

beforeAll(async () => {
  authority = await Authority.create('Fieldline test');
  const server = await authority.issue('localhost');
  const listener = (
    clientCertificate: TlsListenerOptions['clientCertificate'],
    minVersion?: 'TLSv1.3',
  ): TlsListenerOptions => ({
    host: '127.0.0.1',
    port: 0,
    ...server,
    ca: authority.certificate.toString('pem'),
    clientCertificate,
    ...(minVersion && { minVersion }),
  });
  broker = createBroker({
    listeners: {
      tls: [listener('required'), listener('optional'), listener('none', 'TLSv1.3')],
      ws: [listener('optional')],
    },
    dataDir: null,
    authenticate: (request) => {
      requests.push(request);
      const { certificateCommonName } = request;
      if (certificateCommonName === undefined)
        return { accepted: false, reasonCode: 0x87, reason: 'a certificate is needed' };
      return { accepted: true, identity: { organizationId: 'org-1', deviceId: certificateCommonName, kind: 'device' } };
    },
    route: () => ({ to: 'clients' }),
    maySubscribe: () => ({ allowed: true }),
    appendToLog: async () => {},
  });
  await broker.start();
  const [required, optional, none, webSocket] = broker.addresses().map(({ port }) => port);
  Object.assign(ports, { required, optional, none, webSocket });
});

afterAll(() => broker.stop());

function tryConnect(port: number, options: object): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const client = connect({
      host: 'localhost',
      port,
      protocol: 'mqtts',
      ca: authority.certificate.toString('pem'),
      protocolVersion: 5,
      clientId: 'c',
      reconnectPeriod: 0,
      ...options,
    });
    client.once('connect', () => resolve(client));
    client.on('error', (error) => {
      client.end(true);
      reject(error);
    });
    client.once('close', () => reject(new Error('closed')));
  });
}

test.each([
  ['required', {}],
  ['optional', {}],
  ['webSocket', { protocol: 'wss', path: '/mqtt' }],
])('client certificate %s: its CN says who it is', async (kind, options) => {
  const client = await tryConnect(ports[kind]!, { ...options, ...(await authority.issue('dev-42')) });
  expect(requests.at(-1)).toMatchObject({ certificateCommonName: 'dev-42', secure: true });
  expect(requests.at(-1)!.certificateFingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  await client.subscribeAsync('x');
  await client.endAsync();
});

test('required: without a certificate, or with one of another authority, there is no handshake', async () => {
  const before = requests.length;
  await expect(tryConnect(ports.required!, {})).rejects.toThrow();
  const stranger = await (await Authority.create('Stranger')).issue('dev-42');
  await expect(tryConnect(ports.required!, stranger)).rejects.toThrow();
  expect(requests).toHaveLength(before);
});

test('optional: a certificate of another authority says nothing', async () => {
  const stranger = await (await Authority.create('Stranger')).issue('dev-42');
  await expect(tryConnect(ports.optional!, stranger)).rejects.toMatchObject({ code: 0x87 });
  expect(requests.at(-1)).toMatchObject({ certificateCommonName: undefined });
});

test('none: certificates are not asked for; TLS below the minimum is refused', async () => {
  await expect(tryConnect(ports.none!, await authority.issue('dev-42'))).rejects.toMatchObject({ code: 0x87 });
  const before = requests.length;
  await expect(tryConnect(ports.none!, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
  expect(requests).toHaveLength(before);
});

test.each([
  ['no PEM', 'hello', 'hello'],
  ['the key of another certificate', null, null],
])('%s: start() says which settings it comes from', async (_, cert, key) => {
  const [one, other] = [await authority.issue('a'), await authority.issue('b')];
  const files = { cert: cert ?? one.cert, key: key ?? other.key };
  const broken = createBroker({
    listeners: { tls: [{ host: '127.0.0.1', port: 0, clientCertificate: 'none', ...files }] },
    dataDir: null,
    authenticate: () => ({ accepted: false, reasonCode: 0x87, reason: 'nobody' }),
    route: () => ({ to: 'clients' }),
    maySubscribe: () => ({ allowed: true }),
    appendToLog: async () => {},
  });
  await expect(broken.start()).rejects.toThrow(/no TLS with this key, certificate and authorities/);
  await broken.stop();
});

test('certificates are renewed while it runs: for new connections at once, who is connected stays', async () => {
  const device = await authority.issue('dev-42');
  const connected = await tryConnect(ports.required!, device);
  const next = await Authority.create('Next');
  const server = await next.issue('localhost');
  expect(() => broker.renewCertificates({ key: 'hello', cert: 'hello' })).toThrow(/no TLS with this key/);
  await (await tryConnect(ports.optional!, await authority.issue('dev-44'))).endAsync();
  broker.renewCertificates({ ...server, ca: next.certificate.toString('pem') });
  await expect(tryConnect(ports.required!, device)).rejects.toThrow();
  const ca = next.certificate.toString('pem');
  await expect(tryConnect(ports.required!, { ...device, ca })).rejects.toThrow();
  const renewed = await tryConnect(ports.required!, { ...(await next.issue('dev-43')), ca });
  await expect(tryConnect(ports.none!, { ca, maxVersion: 'TLSv1.2' })).rejects.toThrow();
  await Promise.all([connected.subscribeAsync('x'), renewed.subscribeAsync('x')]);
  await Promise.all([connected.endAsync(), renewed.endAsync()]);
});
