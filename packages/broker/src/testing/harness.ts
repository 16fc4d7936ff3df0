/**
 * A broker on an ephemeral port for tests: devices `dev-1`, `dev-2`, … log in with their name and the password "secret";
 * `v1/telemetry/…` goes to a log in memory that a test can slow down or break, `app/…` goes between clients.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { type Origin, originOf, payloadOf, type RawBatch } from '@fieldline/model';
import { type IClientOptions, type MqttClient, connect as mqttConnect } from 'mqtt';
import { type Broker, createBroker } from '../broker.ts';
import type { BrokerOptions, ConnectionEvent } from '../options.ts';

export interface LoggedRecord {
  readonly topic: string;
  readonly deviceId: string;
  readonly payload: string;
}

export interface TestBroker {
  readonly broker: Broker;
  readonly port: number;
  /** What is durable. */
  readonly records: LoggedRecord[];
  readonly events: ConnectionEvent[];
  /** Called before each append; a test makes it wait or throw. */
  beforeAppend: () => Promise<void>;
}

export async function startBroker(overrides: Partial<BrokerOptions> = {}): Promise<TestBroker> {
  const records: LoggedRecord[] = [];
  const events: ConnectionEvent[] = [];
  const origins = new Map<string, Origin>();
  const broker = createBroker({
    listeners: { tcp: [{ host: '127.0.0.1', port: 0 }] },
    dataDir: null,
    authenticate: ({ userName, password }) => {
      if (password === undefined || Buffer.from(password).toString() !== 'secret') {
        return { accepted: false, reasonCode: 0x86, reason: 'unknown device or wrong token' };
      }
      const [organizationId, deviceId] = userName!.includes('@')
        ? userName!.split('@').reverse()
        : ['org-1', userName!];
      return { accepted: true, identity: { organizationId: organizationId!, deviceId: deviceId!, kind: 'device' } };
    },
    route: (identity, topic) => {
      if (topic.startsWith('app/')) return { to: 'clients' };
      if (topic !== `v1/telemetry/org-1/${identity.deviceId}`) {
        return { to: 'refused', reasonCode: 0x87, reason: `${identity.deviceId} may not publish on ${topic}` };
      }
      let origin = origins.get(topic);
      if (origin === undefined) {
        const { organizationId, deviceId } = identity;
        origin = { organizationId, deviceId, topic, codec: 'json', source: 'mqtt', mappingVersion: 1 };
        origins.set(topic, origin);
      }
      return { to: 'log', origin };
    },
    maySubscribe: (_, filter) =>
      filter.startsWith('secret/') ? { allowed: false, reasonCode: 0x87, reason: 'not yours' } : { allowed: true },
    appendToLog: async (batch) => {
      await test.beforeAppend();
      records.push(...recordsOf(batch));
    },
    onConnection: (event) => events.push(event),
    ...overrides,
  });
  const test = { broker, port: 0, records, events, beforeAppend: async () => {} };
  await broker.start();
  test.port = broker.addresses()[0]!.port;
  return test;
}

function recordsOf(batch: RawBatch): LoggedRecord[] {
  return Array.from({ length: batch.count }, (_, index) => {
    const { topic, deviceId } = originOf(batch, index);
    return { topic, deviceId, payload: Buffer.from(payloadOf(batch, index)).toString() };
  });
}

/** A connected mqtt.js client; `deviceId` is its user name and (unless options say otherwise) its client id. */
export function connectClient(test: TestBroker, deviceId: string, options: IClientOptions = {}): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const client = mqttConnect({
      host: '127.0.0.1',
      port: test.port,
      clientId: deviceId,
      username: deviceId,
      password: 'secret',
      protocolVersion: 5,
      reconnectPeriod: 0,
      ...options,
    });
    client.once('connect', () => resolve(client));
    client.once('error', reject);
  });
}

/** Waits until the condition holds; fails after `timeoutMs` with what was awaited. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A socket that speaks in hex. */
export class HexClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number) {
    this.socket = connectTcp({ host: '127.0.0.1', port });
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(hex: string): void {
    this.socket.write(fromHex(hex));
  }

  get hex(): string {
    return this.received.toString('hex');
  }

  closed(): Promise<void> {
    return until(() => this.isClosed, 'the broker closes the connection');
  }

  /** Sends an accepted CONNECT and waits for CONNACK; what is received is empty afterwards. */
  async open(protocolVersion: 4 | 5, deviceId = 'dev-9', connectProperties = '00'): Promise<void> {
    const properties = protocolVersion === 5 ? connectProperties : '';
    this.send(
      packetHex(
        '10',
        `00044d515454 0${protocolVersion} c2 0000 ${properties} ${text(deviceId)} ${text(deviceId)} ${text('secret')}`,
      ),
    );
    await until(() => this.received.length >= 4, 'CONNACK');
    if (this.received[3] !== 0) throw new Error(`CONNACK ${this.hex}`);
    this.received = Buffer.alloc(0);
  }
}

export function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
}

/** A string as MQTT writes it, in hex. */
export function text(value: string): string {
  const bytes = Buffer.from(value);
  return bytes.length.toString(16).padStart(4, '0') + bytes.toString('hex');
}

/** First byte and body in hex; the remaining length is put between them (bodies below 128 bytes). */
export function packetHex(firstByte: string, body: string): string {
  const length = fromHex(body).length;
  if (length > 127) throw new Error('packetHex is for short packets');
  return `${firstByte}${length.toString(16).padStart(2, '0')}${body}`;
}
