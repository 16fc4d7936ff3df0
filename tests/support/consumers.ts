/**
 * A program with many consumers: `node consumers.ts <JSON>` connects MQTT clients to a topic and Socket.IO clients to live
 * readings, says "ready", and reads everything, or, told "stop" on its input, never again: it goes on connecting, subscribing
 * and not reading. Half of the Socket.IO clients send what keeps their connection alive all the same.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import mqtt, { type MqttClient } from 'mqtt';
import type { DeviceCredentials } from './api-session.ts';

export interface ConsumersPlan {
  readonly mqtt: { readonly host: string; readonly port: number };
  readonly url: string;
  readonly accessToken: string;
  readonly topic: string;
  readonly mqttDevices: readonly DeviceCredentials[];
  readonly liveClients: number;
  /** What each live client looks at. */
  readonly deviceIds: readonly string[];
}

const plan = JSON.parse(process.argv[2]!) as ConsumersPlan;
const PONG_INTERVAL_MS = 10_000;
const COME_BACK_MS = 1_000;
let isReading = true;
/** Of each connection that is open now. */
const streams = new Set<Socket>();

function stopReading(stream: Socket): void {
  stream.unpipe();
  stream.removeAllListeners('data');
  stream.pause();
}

/** QoS 0 and 1, clean and persistent sessions, in turn. */
async function addMqtt(device: DeviceCredentials, index: number): Promise<void> {
  const clean = index % 4 < 2;
  const client: MqttClient = mqtt.connect({
    ...plan.mqtt,
    protocolVersion: 5,
    clientId: device.key,
    username: device.id,
    password: device.token,
    keepalive: 0,
    reconnectPeriod: COME_BACK_MS,
    clean,
    resubscribe: false,
    ...(clean ? {} : { properties: { sessionExpiryInterval: 3600 } }),
  });
  client.on('error', () => {}); // It is cut off on purpose, and comes back.
  const subscribed = new Promise<void>((resolve) => {
    client.on('connect', () => {
      const stream = client.stream as Socket;
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      client.subscribe(plan.topic, { qos: (index % 2) as 0 | 1 }, () => {
        if (!isReading) stopReading(stream);
        resolve();
      });
    });
  });
  await subscribed;
}

/** A text frame as a browser sends it (RFC 6455, 5.2), masked with zeros. */
function frame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), bytes]);
}

/** Socket.IO by hand, so that what comes is not even parsed. Resolves when it has subscribed to everything. */
async function openLive(index: number): Promise<Socket> {
  const { hostname, port } = new URL(plan.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {}); // 'close' follows.
  await once(socket, 'connect');
  let heard = '';
  let look: () => void = () => {};
  const until = (text: string): Promise<void> =>
    new Promise((resolve) => {
      look = () => (heard.includes(text) || socket.destroyed) && resolve();
      socket.once('close', look);
      look();
    });
  const listen = (chunk: Buffer): void => {
    heard += chunk.toString('latin1');
    look();
  };
  socket.on('data', listen);
  socket.write(
    `GET /live/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await until('0{');
  socket.write(frame(`40${JSON.stringify({ token: plan.accessToken })}`));
  await until('40{');
  for (const [number, deviceId] of plan.deviceIds.entries()) {
    socket.write(frame(`42${number}${JSON.stringify(['subscribe', { deviceId }])}`));
  }
  await until(`43${plan.deviceIds.length - 1}[`);
  socket.off('data', listen);
  const pongs = setInterval(() => (isReading || index % 2 === 0) && socket.write(frame('3')), PONG_INTERVAL_MS);
  socket.once('close', () => clearInterval(pongs));
  if (isReading) socket.resume();
  else stopReading(socket);
  return socket;
}

/** Comes back for ever: it is cut off on purpose. */
async function addLive(index: number): Promise<void> {
  const socket = await openLive(index).catch(() => null);
  const comeBack = (): void => {
    if (socket !== null) streams.delete(socket);
    setTimeout(() => void addLive(index), COME_BACK_MS);
  };
  if (socket === null || socket.destroyed) return comeBack();
  streams.add(socket);
  socket.once('close', comeBack);
}

createInterface({ input: process.stdin }).on('line', () => {
  isReading = false;
  for (const stream of streams) stopReading(stream);
});
await Promise.all(plan.mqttDevices.map(addMqtt));
for (let index = 0; index < plan.liveClients; index++) await addLive(index);
console.log('ready');
