/**
 * A program that publishes as fast as the sockets take it, at QoS 0, messages of a hundred samples: `node flood.ts <host> <port>
 * <credentials as JSON>`. Tells the samples that it has sent so far, a line a second, until it is killed.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeviceCredentials } from './api-session.ts';
import { connectPacket, mqttPacket, mqttText } from './raw-mqtt.ts';

const SAMPLES_PER_MESSAGE = 100;
const MESSAGES_PER_WRITE = 16;

const [host, port, devices] = process.argv.slice(2) as [string, string, string];
const startMs = Date.now() - 20 * 3_600_000;
let sent = 0;

async function flood(device: DeviceCredentials): Promise<never> {
  const socket = connect({ host, port: Number(port) });
  await once(socket, 'connect');
  socket.resume();
  socket.write(connectPacket(device.key, device.id, device.token));
  const topic = mqttText(`v1/telemetry/${device.organizationId}/${device.key}`);
  for (let number = 0; ; ) {
    const packets: Buffer[] = [];
    for (let message = 0; message < MESSAGES_PER_WRITE; message++) {
      const samples: string[] = [];
      for (let sample = 0; sample < SAMPLES_PER_MESSAGE; sample++, number++)
        samples.push(`{"ts":${startMs + number},"metrics":{"f":${number}}}`);
      packets.push(mqttPacket(0x30, topic, Buffer.from([0]), Buffer.from(`[${samples.join(',')}]`)));
    }
    sent += MESSAGES_PER_WRITE * SAMPLES_PER_MESSAGE;
    if (!socket.write(Buffer.concat(packets))) await once(socket, 'drain');
    await nextTurn(); // A socket that takes everything at once would let nothing else happen.
  }
}

for (const device of JSON.parse(devices) as DeviceCredentials[]) void flood(device);
setInterval(() => console.log(sent), 1000);
