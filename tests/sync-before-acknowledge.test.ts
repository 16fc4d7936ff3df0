/**
 * Nothing is acknowledged before the disk has it: the real program runs under strace, and at the moment at which it begins to
 * write an answer to a socket, a power cut would leave what it answers for. Skipped where strace cannot be used.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { RecordedDisk } from './support/power-cut/recorded-disk.ts';
import {
  readCalls,
  recording,
  recordingEnded,
  type SystemCall,
  straceProblem,
} from './support/power-cut/system-calls.ts';
import { mqttPacket, mqttText, RawMqtt } from './support/raw-mqtt.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const problem = straceProblem();
const [CONNACK, PUBACK, PUBREC, SUBACK] = [2, 4, 5, 9];

interface Expectation {
  readonly what: string;
  /** Bytes that the answer has, and no other write to a socket. */
  readonly answer: Buffer;
  /** Bytes that must be found below this folder when the answer begins. */
  readonly durable: Buffer;
  readonly folder: string;
}

const folder = temporaryFolder('sync');
const root = join(folder.path, 'disk');
const trace = join(folder.path, 'trace');
const expectations: Expectation[] = [];
let disk: RecordedDisk;
let calls: SystemCall[] = [];

/** MQTT 5 CONNECT; a session that expires after an hour. */
async function connect({ mqtt }: RunningServer, device: DeviceCredentials, clientId: string): Promise<RawMqtt> {
  const client = await RawMqtt.open(mqtt);
  const properties = Buffer.from([5, 0x11, 0, 0, 14, 16]);
  const flags = Buffer.from([5, 0xc0, 0, 60]);
  const texts = [clientId, device.id, device.token].map(mqttText);
  client.socket.write(mqttPacket(0x10, mqttText('MQTT'), flags, properties, ...texts));
  expect((await client.next(CONNACK))!.body[1]).toBe(0);
  return client;
}

function publish(client: RawMqtt, topic: string, qos: 1 | 2, packetId: Buffer, payload: string): void {
  client.socket.write(mqttPacket(0x30 | (qos << 1), mqttText(topic), packetId, Buffer.from([0]), Buffer.from(payload)));
}

async function acknowledgeEverything(server: RunningServer): Promise<void> {
  const api = await ApiSession.signIn(server.url);
  const expectAnswer = (what: string, answer: string | Buffer, durable: string | Buffer, at: string): void => {
    expectations.push({ what, answer: Buffer.from(answer), durable: Buffer.from(durable), folder: `data/${at}` });
  };
  const device = await api.createDevice('marked-device');
  expectAnswer('201 to a new device', '"key":"marked-device"', 'marked-device', 'catalog/pg_wal');
  const reader = await api.createDevice('reader');
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'sync', scopes: ['ingest'] });

  const topic = `v1/telemetry/${device.organizationId}/${device.key}`;
  const publisher = await connect(server, device, 'publisher');
  const ids = [0xa1b1, 0xa1b2, 0xa1b3, 0xa1b4].map((id) => Buffer.from([id >> 8, id & 255]));
  publish(publisher, topic, 1, ids[0]!, '{"metrics":{"marked_puback":1}}');
  await publisher.next(PUBACK);
  expectAnswer('PUBACK', ids[0]!, 'marked_puback', 'log');
  publish(publisher, topic, 2, ids[1]!, '{"metrics":{"marked_pubrec":1}}');
  await publisher.next(PUBREC);
  expectAnswer('PUBREC: the message', ids[1]!, 'marked_pubrec', 'log');
  expectAnswer('PUBREC: its packet id', ids[1]!, `"packetIds":[${0xa1b2}]`, 'broker');

  const subscriber = await connect(server, reader, 'subscriber');
  const filter = `app/${device.organizationId}/marked_filter`;
  subscriber.socket.write(mqttPacket(0x82, ids[2]!, Buffer.from([0]), mqttText(filter), Buffer.from([1])));
  await subscriber.next(SUBACK);
  expectAnswer('SUBACK', ids[2]!, 'marked_filter', 'broker');
  subscriber.socket.write(mqttPacket(0xe0));
  await subscriber.untilClosed(5000);
  publisher.packets.length = 0;
  publish(publisher, filter, 1, ids[3]!, 'marked_message');
  await publisher.next(PUBACK);
  expectAnswer('PUBACK of what waits for a subscriber', ids[3]!, 'marked_message', 'broker');

  const headers = { 'content-type': 'application/json', 'x-api-key': key };
  const body = JSON.stringify({ deviceId: device.key, metrics: { marked_http: 424242.125 } });
  const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
  expectAnswer('202', 'HTTP/1.1 202', 'marked_http', 'log');

  const value = Buffer.alloc(8);
  value.writeDoubleLE(424242.125);
  await eventually('the sample', async () => {
    const [sample] = await api.samples(device.id, 'marked_http', Date.now() - 60_000, Date.now() + 1000);
    return sample ?? null;
  });
  expectAnswer('a sample that is read', '424242.125', value, 'store/');
  publisher.socket.destroy();
}

beforeAll(async () => {
  if (problem !== null) return;
  mkdirSync(root);
  mkdirSync(trace);
  const dataDir = join(root, 'data');
  await (await startServer({ dataDir })).stop();
  disk = new RecordedDisk(root);
  const server = await startServer({ dataDir, under: recording(trace) });
  try {
    await acknowledgeEverything(server);
  } finally {
    await server.kill();
  }
  await recordingEnded(trace);
  calls = readCalls(trace);
  disk.take(calls);
}, 180_000);
afterAll(() => folder.remove());

test.skipIf(problem !== null)('a power cut at the beginning of each answer leaves what is answered for', () => {
  const answers = expectations.map((expectation) => ({ ...expectation, call: answerOf(expectation) }));
  answers.sort((a, b) => a.call.startedAt - b.call.startedAt);
  const found = answers.map(({ what, durable, folder: at, call }) => {
    disk.advanceTo(call.startedAt);
    return { what, isDurable: disk.holds(durable, at) };
  });
  expect(found).toEqual(answers.map(({ what }) => ({ what, isDurable: true })));
  expect(found).toHaveLength(8);
});

/** The first write to a socket that holds these bytes. */
function answerOf({ what, answer }: Expectation): SystemCall {
  const call = calls.find(({ path, data }) => path.startsWith('socket:') && data.includes(answer));
  if (call === undefined) throw new Error(`${what} was not seen on any socket`);
  return call;
}
