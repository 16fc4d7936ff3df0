/**
 * Thousands of MQTT clients in one process, cheap enough not to be the limit: raw sockets, packets encoded beforehand, answers
 * counted by their fixed headers. MQTT 3.1.1, which every broker speaks. Started and led by crowd-lead.ts over its IPC channel.
 */
import { type Socket, connect as tcpConnect } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSecureContext, type SecureContext, connect as tlsConnect } from 'node:tls';
import type { CrowdClient, CrowdReport, CrowdTask } from './crowd-lead.ts';
import { connectPacket, publishQos1 } from './crowd-packets.ts';
import { binaryFrame, FrameBytes, upgradeRequest } from './crowd-websocket.ts';
import { quantile } from './figures.ts';

/** Latencies that are kept; beyond it the oldest are overwritten. */
const LATENCIES_MAX = 200_000;
const TICK_MS = 10;

const secureContexts = new Map<string, SecureContext>();

class Client {
  readonly settings: CrowdClient;
  readonly #socket: Socket;
  readonly #onAnswer: (client: Client, type: number) => void;
  isAccepted = false;
  isClosed = false;
  sentAtMs = 0;
  nextPacketId = 1;
  /** Bytes of the packet under way that are still to come, and of the next header those that have come. */
  #bodyLeft = 0;
  #header: number[] = [];
  readonly #frame: ((packet: Buffer) => Buffer) | null;

  constructor(task: CrowdTask & { kind: 'open' }, settings: CrowdClient, onAnswer: (c: Client, type: number) => void) {
    this.settings = settings;
    this.#onAnswer = onAnswer;
    const { host, port } = task;
    if (task.ca === undefined) this.#socket = tcpConnect({ host, port, noDelay: true });
    else {
      let secureContext = secureContexts.get(task.ca);
      if (secureContext === undefined) {
        secureContext = createSecureContext({ ca: task.ca });
        secureContexts.set(task.ca, secureContext);
      }
      this.#socket = tlsConnect({ host, port, secureContext, checkServerIdentity: () => undefined });
    }
    const greet = (): void => this.write(connectPacket(settings, task.keepAliveS));
    if (task.webSocket === true) {
      this.#frame = binaryFrame;
      this.#socket.write(upgradeRequest(host, port));
      const frames = new FrameBytes(greet, (bytes) => this.#read(bytes));
      this.#socket.on('data', (chunk: Buffer) => frames.take(chunk));
    } else {
      this.#frame = null;
      greet();
      this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    }
    this.#socket.on('error', () => {}); // 'close' follows
    this.#socket.on('close', () => {
      this.isClosed = true;
      this.#onAnswer(this, 0);
    });
  }

  write(bytes: Buffer): void {
    this.#socket.write(this.#frame === null ? bytes : this.#frame(bytes));
  }

  end(): void {
    this.#socket.end(Buffer.from([0xe0, 0]));
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= taken;
        at += taken;
        if (this.#bodyLeft === 0) this.#done();
        continue;
      }
      const byte = chunk[at]!;
      at += 1;
      this.#header.push(byte);
      if (this.#header.length === 1 || byte >= 128) continue;
      for (let index = 1; index < this.#header.length; index++) {
        this.#bodyLeft += (this.#header[index]! & 127) * 128 ** (index - 1);
      }
      if (this.#bodyLeft === 0) this.#done();
    }
  }

  #done(): void {
    const type = this.#header[0]! >> 4;
    this.#header = [];
    if (type === 2) this.isAccepted = true;
    this.#onAnswer(this, type);
  }
}

class Crowd {
  readonly clients: Client[] = [];
  #accepted = 0;
  #closed = 0;
  #subscribed = 0;
  #received = 0;
  #lastReceivedMs = 0;
  #acknowledged = 0;
  readonly #latencies = new Float64Array(LATENCIES_MAX);
  /** Waits for an answer that makes a condition true. */
  #check: () => void = () => {};

  readonly #onAnswer = (client: Client, type: number): void => {
    if (type === 0) this.#closed += 1;
    else if (type === 2) this.#accepted += 1;
    else if (type === 9) this.#subscribed += 1;
    else if (type === 3) {
      this.#received += 1;
      this.#lastReceivedMs = performance.now();
    } else if (type === 4) {
      this.#latencies[this.#acknowledged % LATENCIES_MAX] = performance.now() - client.sentAtMs;
      this.#acknowledged += 1;
    }
    this.#check();
  };

  /** Opens all, `concurrency` at a time. */
  async open(task: CrowdTask & { kind: 'open' }): Promise<Partial<CrowdReport>> {
    const started = performance.now();
    const goal = this.#accepted + task.clients.length;
    const closedBefore = this.#closed;
    let next = 0;
    await this.#until(() => {
      const finished = task.clients.length - (goal - this.#accepted) + (this.#closed - closedBefore);
      while (next < task.clients.length && next - finished < task.concurrency) {
        this.clients.push(new Client(task, task.clients[next]!, this.#onAnswer));
        next += 1;
      }
      return finished >= task.clients.length;
    }, task.limitMs);
    return { count: this.#accepted, milliseconds: performance.now() - started };
  }

  /** Each client sends a QoS 1 message on its topic now and again, spread evenly over the interval. */
  async publish(task: CrowdTask & { kind: 'publish' }): Promise<Partial<CrowdReport>> {
    const { messagesPerSecond, seconds } = task;
    const packets = this.clients.map(({ settings }) => publishQos1(1, settings.topic, task.payload));
    const idAt = packets.map((bytes) => bytes.length - task.payload.length - 2);
    const acknowledgedBefore = this.#acknowledged;
    const started = performance.now();
    const total = Math.round(messagesPerSecond * seconds);
    let sent = 0;
    while (sent < total) {
      const now = performance.now();
      const due = Math.min(total, Math.floor(((now - started) / 1000) * messagesPerSecond));
      for (; sent < due; sent++) {
        const index = sent % this.clients.length;
        const client = this.clients[index]!;
        if (client.isClosed) continue;
        const bytes = Buffer.from(packets[index]!);
        bytes.writeUInt16BE(client.nextPacketId, idAt[index]!);
        client.nextPacketId = (client.nextPacketId % 65_535) + 1;
        client.sentAtMs = now;
        client.write(bytes);
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await this.#until(() => this.#acknowledged - acknowledgedBefore >= total, task.limitMs);
    const count = this.#acknowledged - acknowledgedBefore;
    const latencies = [...this.#latencies.subarray(0, Math.min(LATENCIES_MAX, this.#acknowledged))].slice(-count);
    return {
      count,
      milliseconds: performance.now() - started,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
    };
  }

  /** Sends these bytes and waits for so many answers of a kind. */
  async send(task: CrowdTask & { kind: 'send' }): Promise<Partial<CrowdReport>> {
    const before = { 9: this.#subscribed, 3: this.#received, 4: this.#acknowledged };
    const now = (): number => ({ 9: this.#subscribed, 3: this.#received, 4: this.#acknowledged })[task.answerType];
    const started = performance.now();
    for (const { client, packets } of task.packets) {
      for (const base64 of packets) this.clients[client]!.write(Buffer.from(base64, 'base64'));
    }
    await this.#until(() => now() - before[task.answerType] >= task.answers, task.limitMs);
    const ended = task.answerType === 3 ? this.#lastReceivedMs : performance.now();
    return { count: now() - before[task.answerType], milliseconds: ended - started };
  }

  async close(): Promise<Partial<CrowdReport>> {
    for (const client of this.clients) client.end();
    await this.#until(() => this.#closed >= this.clients.length, 20_000);
    return { count: this.#closed };
  }

  #until(condition: () => boolean, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#check = () => {};
        resolve();
      };
      const timer = setTimeout(finish, limitMs);
      this.#check = () => {
        if (condition()) finish();
      };
      this.#check();
    });
  }
}

const crowd = new Crowd();

async function perform(task: CrowdTask): Promise<Partial<CrowdReport>> {
  switch (task.kind) {
    case 'open':
      return crowd.open(task);
    case 'publish':
      return crowd.publish(task);
    case 'send':
      return crowd.send(task);
    case 'close':
      return crowd.close();
  }
}

process.on('message', async (task: CrowdTask) => {
  const cpu = process.cpuUsage();
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  const done = await perform(task);
  delays.disable();
  const used = process.cpuUsage(cpu);
  const closed = crowd.clients.filter((client) => client.isClosed).length;
  process.send!({
    count: 0,
    milliseconds: 0,
    p50Ms: 0,
    p99Ms: 0,
    ...done,
    closed,
    ownDelayP99Ms: delays.percentile(99) / 1e6,
    cpuSeconds: (used.user + used.system) / 1e6,
  } satisfies CrowdReport);
});
