/** MQTT by hand, for what no client library would send: raw bytes on a socket and the packets that come back. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawPacket {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** UTF-8 string with its length in front (MQTT 5, 1.5.4). */
export function mqttText(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** A packet with its fixed header (MQTT 5, 2.1). */
export function mqttPacket(firstByte: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest % 128) | (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from([firstByte, ...length]), body]);
}

/** CONNECT of MQTT 5 with clean start, user name and password. */
export function connectPacket(clientId: string, userName: string, password: string): Buffer {
  return mqttPacket(
    0x10,
    mqttText('MQTT'),
    Buffer.from([5, 0xc2, 0, 30, 0]),
    mqttText(clientId),
    mqttText(userName),
    mqttText(password),
  );
}

/** PUBLISH of MQTT 5, QoS 1, without properties. */
export function publishPacket(topic: string, packetId: number, payload: Buffer): Buffer {
  return mqttPacket(0x32, mqttText(topic), Buffer.from([packetId >> 8, packetId & 255, 0]), payload);
}

export class RawMqtt {
  readonly socket: Socket;
  readonly packets: RawPacket[] = [];
  closed = false;
  #pending = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {}); // A reset is one of the answers that tests look for.
  }

  static async open(address: { host: string; port: number }): Promise<RawMqtt> {
    const socket = connect(address);
    await once(socket, 'connect');
    return new RawMqtt(socket);
  }

  /** The first packet of this type, or null where the connection ends without one. Waits. */
  async next(type: number, limitMs = 5000): Promise<RawPacket | null> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.packets.find((packet) => packet.type === type);
      if (found !== undefined) return found;
      if (this.closed) return null;
      if (performance.now() > deadline) throw new Error(`no packet of type ${type} within ${limitMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async untilClosed(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!this.closed) {
      if (performance.now() > deadline) throw new Error(`the connection was still open after ${limitMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #take(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const packet = this.#first();
      if (packet === null) return;
      this.packets.push(packet);
    }
  }

  #first(): RawPacket | null {
    let length = 0;
    for (let index = 1; index <= 4; index++) {
      const byte = this.#pending[index];
      if (byte === undefined) return null;
      length += (byte & 127) * 128 ** (index - 1);
      if (byte < 128) {
        const end = index + 1 + length;
        if (this.#pending.length < end) return null;
        const body = this.#pending.subarray(index + 1, end);
        const first = this.#pending[0]!;
        this.#pending = this.#pending.subarray(end);
        return { type: first >> 4, flags: first & 15, body };
      }
    }
    return null;
  }
}
