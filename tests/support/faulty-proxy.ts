/**
 * A TCP proxy that behaves like a bad network, for tests: bytes that come late as after a lost packet, a thin line, silence
 * in both directions with the connection open, resets. Its faults can be changed while it runs.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Faults {
  /** Share of pieces that come as late as a packet that had to be sent again. */
  lossShare: number;
  lossDelayMs: number;
  /** Bytes a second for each connection and direction; Infinity = as fast as it goes. */
  bytesPerSecond: number;
  /** What is sent vanishes, in both directions; the connections stay open. New ones are accepted and hear nothing. */
  silent: boolean;
}

const NO_FAULTS: Faults = { lossShare: 0, lossDelayMs: 250, bytesPerSecond: Number.POSITIVE_INFINITY, silent: false };

export class FaultyProxy {
  readonly faults: Faults = { ...NO_FAULTS };
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #random: () => number;
  readonly #sockets = new Set<Socket>();

  private constructor(target: { host: string; port: number }, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((client) => this.#join(client));
  }

  static async start(target: { host: string; port: number }, random = Math.random): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target, random);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as { port: number }).port };
  }

  heal(): void {
    Object.assign(this.faults, NO_FAULTS);
  }

  /** Resets every connection, on both sides. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.resetAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.#target);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => {}); // 'close' follows
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      void this.#carry(from, to);
    }
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const { faults } = this;
        if (faults.silent) continue;
        if (faults.lossShare > 0 && this.#random() < faults.lossShare) await sleep(faults.lossDelayMs);
        if (faults.bytesPerSecond !== Number.POSITIVE_INFINITY) {
          await sleep((chunk.length / faults.bytesPerSecond) * 1000);
        }
        if (!to.destroyed && !to.write(chunk)) await once(to, 'drain');
      }
      to.end();
    } catch {
      to.destroy(); // Either side was reset: the other one hears of it.
    }
  }
}
