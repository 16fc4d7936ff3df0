/** Publishers with a steady rate over raw sockets: they cost the machine little, and never wait. Acknowledgements are only counted. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { DeviceCredentials } from './api-session.ts';
import { connectPacket, mqttPacket, mqttText } from './raw-mqtt.ts';

export class SteadyLoad {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #sockets: Socket[] = [];
  sent = 0;

  /** Adds a device that publishes at QoS 1, `perSecond` messages, what `payload` gives for their numbers. */
  async add(
    address: { host: string; port: number },
    device: DeviceCredentials,
    topic: string,
    perSecond: number,
    payload: (number: number) => string,
  ): Promise<void> {
    const socket = connect(address);
    this.#sockets.push(socket);
    await once(socket, 'connect');
    socket.resume();
    socket.write(connectPacket(device.key, device.id, device.token));
    await once(socket, 'data');
    const topicText = mqttText(topic);
    const startedMs = performance.now();
    let number = 0;
    this.#timers.push(
      setInterval(() => {
        // What is due by now, so that a late timer does not make the rate smaller.
        const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
        for (; number < due; number++) {
          const packetId = (number % 65_535) + 1;
          const head = Buffer.from([packetId >> 8, packetId & 255, 0]);
          socket.write(mqttPacket(0x32, topicText, head, Buffer.from(payload(number))));
          this.sent += 1;
        }
      }, 20),
    );
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.end();
  }
}
