/**
 * How many QoS 1 PUBLISH a second one thread takes, acknowledges and hands to a log that answers at once. The generator
 * is a child process that writes packets encoded beforehand and counts PUBACKs by their bytes, so that it is not the limit.
 *
 *   node packages/broker/src/broker.bench.ts [connections=1000] [window=20] [seconds=5] [payloadBytes=309]
 */
import { fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { createBroker } from './broker.ts';

const [connections = 1000, windowPerConnection = 20, seconds = 5, payloadBytes = 309] = process.argv
  .slice(2)
  .filter((argument) => /^\d+$/.test(argument))
  .map(Number);

if (process.env.BENCH_GENERATOR === undefined) await measure();
else await generate(Number(process.env.BENCH_GENERATOR));

async function measure(): Promise<void> {
  const routes = new Map<string, { to: 'log'; origin: import('@fieldline/model').Origin }>();
  let records = 0;
  let batches = 0;
  const broker = createBroker({
    listeners: { tcp: [{ host: '127.0.0.1', port: 0 }] },
    dataDir: null,
    authenticate: ({ clientId }) => ({
      accepted: true,
      identity: { organizationId: 'org', deviceId: clientId, kind: 'device' },
    }),
    route: ({ organizationId, deviceId }, topic) => {
      let route = routes.get(topic);
      if (route === undefined) {
        route = {
          to: 'log',
          origin: { organizationId, deviceId, topic, codec: 'json', source: 'mqtt', mappingVersion: 1 },
        };
        routes.set(topic, route);
      }
      return route;
    },
    maySubscribe: () => ({ allowed: true }),
    appendToLog: async (batch) => {
      records += batch.count;
      batches += 1;
    },
  });
  await broker.start();
  const child = fork(import.meta.filename, process.argv.slice(2), {
    env: { ...process.env, BENCH_GENERATOR: String(broker.addresses()[0]!.port) },
    execArgv: [],
  });
  await new Promise((resolve) => child.once('message', resolve));
  const before = { records, batches, cpu: process.cpuUsage(), ms: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const elapsedS = (performance.now() - before.ms) / 1000;
  const cpu = process.cpuUsage(before.cpu);
  const count = records - before.records;
  const cpuS = (cpu.user + cpu.system) / 1e6;
  console.log(
    JSON.stringify({
      connections,
      windowPerConnection,
      payloadBytes,
      messagesPerSecond: Math.round(count / elapsedS),
      recordsPerBatch: Math.round(count / (batches - before.batches)),
      cpuMicrosPerMessage: Number(((cpuS / count) * 1e6).toFixed(2)),
      cpuShare: Number((cpuS / elapsedS).toFixed(2)),
      rssMB: Math.round(process.memoryUsage.rss() / 1e6),
    }),
  );
  child.kill();
  await broker.stop();
}

async function generate(port: number): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: connections }, (_, index) => open(port, `device-${index}`)));
  for (const socket of sockets) drive(socket.socket, socket.packets);
  process.send!('ready');
}

/** Connects as MQTT 3.1.1 and encodes one window of packets. */
function open(port: number, clientId: string): Promise<{ socket: Socket; packets: Buffer }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const id = Buffer.from(clientId);
    const body = Buffer.concat([Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, id.length]), id]);
    socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
    socket.once('error', reject);
    socket.once('data', () =>
      resolve({
        socket,
        packets: Buffer.concat(Array.from({ length: windowPerConnection }, (_, n) => publish(clientId, n + 1))),
      }),
    );
  });
}

function publish(clientId: string, packetId: number): Buffer {
  const topic = Buffer.from(`v1/telemetry/org/${clientId}`);
  const length = 2 + topic.length + 2 + payloadBytes;
  const head = Buffer.from([0x32, (length & 0x7f) | 0x80, length >> 7, topic.length >> 8, topic.length & 255]);
  return Buffer.concat([head, topic, Buffer.from([packetId >> 8, packetId & 255]), Buffer.alloc(payloadBytes, 0x61)]);
}

/** Keeps the window full: for every n PUBACKs (4 bytes each) the next n packets. */
function drive(socket: Socket, packets: Buffer): void {
  const packetBytes = packets.length / windowPerConnection;
  let next = 0;
  let ackBytes = 0;
  socket.on('data', (chunk) => {
    ackBytes += chunk.length;
    let count = ackBytes >> 2;
    ackBytes &= 3;
    while (count > 0) {
      const run = Math.min(count, windowPerConnection - next);
      socket.write(packets.subarray(next * packetBytes, (next + run) * packetBytes));
      next = (next + run) % windowPerConnection;
      count -= run;
    }
  });
  socket.write(packets);
}
