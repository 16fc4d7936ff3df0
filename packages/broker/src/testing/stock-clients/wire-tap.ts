/**
 * A TCP door in front of the broker that notes every packet of one or more clients, both ways, in the order in which it passes:
 * what a client library hides (aliases, sizes, how many are unanswered) is seen here.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const PUBLISH = 3;
const PUBACK = 4;
const PUBCOMP = 7;
const PINGREQ = 12;

export interface TappedPacket {
  readonly to: 'client' | 'broker';
  readonly firstByte: number;
  /** Behind the remaining length. */
  readonly body: Buffer;
  /** Of the whole packet. */
  readonly byteLength: number;
}

export class WireTap {
  readonly packets: readonly TappedPacket[];
  readonly port: number;
  readonly #stop: () => void;

  private constructor(port: number, packets: readonly TappedPacket[], stop: () => void) {
    this.port = port;
    this.packets = packets;
    this.#stop = stop;
  }

  static async open(brokerPort: number): Promise<WireTap> {
    const packets: TappedPacket[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const broker = connect(brokerPort, '127.0.0.1');
      pass(client, broker, 'broker', packets);
      pass(broker, client, 'client', packets);
      for (const socket of [client, broker]) sockets.add(socket);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new WireTap((server.address() as AddressInfo).port, packets, () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
  }

  /** Topics of the PUBLISH packets that went there; empty where the packet has an alias alone. */
  topicsTo(to: TappedPacket['to']): string[] {
    return this.#publishesTo(to).map(({ body }) => body.toString('utf8', 2, 2 + body.readUInt16BE(0)));
  }

  /** The largest number of QoS 1 and 2 messages that went there and were not answered to the end (MQTT 5, 4.9). */
  mostUnansweredTo(to: TappedPacket['to']): number {
    const open = new Set<number>();
    let most = 0;
    for (const packet of this.packets) {
      const type = packet.firstByte >> 4;
      const qos = (packet.firstByte >> 1) & 3;
      if (packet.to === to && type === PUBLISH && qos > 0) {
        open.add(packet.body.readUInt16BE(2 + packet.body.readUInt16BE(0)));
        most = Math.max(most, open.size);
      } else if (packet.to !== to && (type === PUBACK || type === PUBCOMP)) {
        open.delete(packet.body.readUInt16BE(0));
      }
    }
    return most;
  }

  largestPublishTo(to: TappedPacket['to']): number {
    return Math.max(0, ...this.#publishesTo(to).map(({ byteLength }) => byteLength));
  }

  get pings(): number {
    return this.packets.filter(({ firstByte }) => firstByte >> 4 === PINGREQ).length;
  }

  close(): void {
    this.#stop();
  }

  #publishesTo(to: TappedPacket['to']): TappedPacket[] {
    return this.packets.filter((packet) => packet.to === to && packet.firstByte >> 4 === PUBLISH);
  }
}

function pass(from: Socket, onto: Socket, to: TappedPacket['to'], packets: TappedPacket[]): void {
  let waiting = Buffer.alloc(0);
  from.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (let packet = firstOf(waiting, to); packet !== null; packet = firstOf(waiting, to)) {
      packets.push(packet);
      waiting = waiting.subarray(packet.byteLength);
    }
    onto.write(chunk);
  });
  from.on('error', () => {}); // 'close' follows.
  from.on('close', () => onto.destroySoon());
}

/** null = not all of it is there. First byte, remaining length of 1 to 4 bytes (2.1.4), body. */
function firstOf(bytes: Buffer, to: TappedPacket['to']): TappedPacket | null {
  let remaining = 0;
  for (let at = 1, shift = 0; at < bytes.length; at++, shift += 7) {
    remaining += (bytes[at]! & 127) * 2 ** shift;
    if (bytes[at]! < 128) {
      const byteLength = at + 1 + remaining;
      if (bytes.length < byteLength) return null;
      return { to, firstByte: bytes[0]!, body: bytes.subarray(at + 1, byteLength), byteLength };
    }
  }
  return null;
}
