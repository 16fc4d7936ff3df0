/**
 * Load generator for MQTT, cheap enough not to be the limit: packets are encoded once and patched in place, one write takes
 * a burst of them. Runs as a process of its own and takes its GeneratorOptions as JSON on standard input.
 * Prints one JSON line a second and a last one with the totals. Acknowledgements are counted and timed packet by packet.
 */
import { connect, type Socket } from 'node:net';

export interface GeneratorOptions {
  readonly host: string;
  readonly port: number;
  readonly devices: readonly { readonly id: string; readonly token: string; readonly topic: string }[];
  /** All connections together. */
  readonly messagesPerSecond: number;
  readonly seconds: number;
  readonly format: 'json' | 'protobuf';
  /** Protobuf payload, base64, and where its time (a varint of eight bytes, µs) stands. */
  readonly template?: string;
  readonly timeByteOffset?: number;
  /** Source-time distance between two messages of a device, µs. */
  readonly messageStepMicros: number;
  readonly samplesPerMessage: number;
  /** Most messages under way on one connection. */
  readonly window: number;
  /** Messages that one connection sends in one write. */
  readonly burst: number;
}

export interface GeneratorReport {
  readonly kind: 'second' | 'total';
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Messages that were due but not sent because windows were full. */
  readonly behind: number;
  readonly ackP50Ms: number;
  readonly ackP95Ms: number;
  readonly ackP99Ms: number;
  readonly seconds: number;
  /** After the load had ended: how long the last acknowledgements took. */
  readonly drainSeconds: number;
  readonly cpuSeconds: number;
}

const PACKET_IDS = 4096;
const TIME_VARINT_BYTES = 8;
/** Latency histogram: 0.25 ms a step up to 16 s. */
const BUCKET_MS = 0.25;
const BUCKETS = 65_536;

class Histogram {
  readonly counts = new Uint32Array(BUCKETS);
  total = 0;

  add(milliseconds: number): void {
    this.counts[Math.min(BUCKETS - 1, Math.floor(milliseconds / BUCKET_MS))]! += 1;
    this.total += 1;
  }

  quantile(share: number): number {
    let left = Math.ceil(this.total * share);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return (bucket + 1) * BUCKET_MS;
    }
    return 0;
  }

  reset(): void {
    this.counts.fill(0);
    this.total = 0;
  }
}

/** Variable byte integer, MQTT 5, 1.5.5. */
function variableByteInteger(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function packet(header: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([header]), variableByteInteger(body.length), body]);
}

/** CONNECT, MQTT 5, 3.1: clean start, user name and password, no properties. */
function connectPacket(clientId: string, userName: string, password: string): Buffer {
  return packet(0x10, text('MQTT'), Buffer.from([5, 0xc2, 0, 60, 0]), text(clientId), text(userName), text(password));
}

const TIME_DIGITS = '1706370000000';

/** A message of ten metrics, 309 bytes with its topic and header for usual ids. */
function jsonPayload(device: number): Buffer {
  const metric = (name: string, base: number) => `"${name}":${(base + (device % 90) / 100 + 0.01).toFixed(2)}`;
  const names = [
    'temperature',
    'vibration',
    'pressure',
    'voltage',
    'current',
    'speed',
    'torque',
    'flow',
    'level',
    'power',
  ];
  return Buffer.from(
    `{"ts":${TIME_DIGITS},"metrics":{${names.map((name, index) => metric(name, 10 + index * 7)).join(',')}}}`,
  );
}

class Connection {
  readonly #socket: Socket;
  readonly #template: Buffer;
  readonly #packetIdAt: number;
  readonly #timeAt: number;
  readonly #valueAt: number;
  readonly #options: GeneratorOptions;
  readonly #histogram: Histogram;
  readonly #sentAt = new Float64Array(PACKET_IDS);
  #nextId = 1;
  #timeMicros: number;
  #pending = Buffer.alloc(0);
  #writable = true;
  ready = false;
  inFlight = 0;
  sent = 0;
  acknowledged = 0;
  failed = 0;
  dueCarry = 0;

  constructor(options: GeneratorOptions, index: number, histogram: Histogram, onReady: () => void) {
    this.#options = options;
    this.#histogram = histogram;
    const device = options.devices[index]!;
    const payload = options.template === undefined ? jsonPayload(index) : Buffer.from(options.template, 'base64');
    // PUBLISH, MQTT 5, 3.3: QoS 1, topic, packet identifier, no properties.
    this.#template = packet(0x32, text(device.topic), Buffer.from([0, 0]), Buffer.from([0]), payload);
    this.#packetIdAt = this.#template.length - payload.length - 3;
    const payloadAt = this.#template.length - payload.length;
    this.#timeAt = payloadAt + (options.format === 'json' ? payload.indexOf(TIME_DIGITS) : options.timeByteOffset!);
    this.#valueAt = options.format === 'json' ? payloadAt + payload.indexOf('.') + 1 : -1;
    this.#timeMicros = (Date.now() - 1000) * 1000;
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true });
    this.#socket.on('connect', () => this.#socket.write(connectPacket(`bench-${index}`, device.id, device.token)));
    this.#socket.on('data', (chunk) => this.#read(chunk, onReady));
    this.#socket.on('drain', () => {
      this.#writable = true;
    });
    this.#socket.on('error', () => {
      this.failed += 1;
    });
    this.#socket.on('close', () => {
      this.ready = false;
    });
  }

  /** Sends up to `count` messages in one write; returns how many the window let through. */
  send(count: number, now: number): number {
    const free = Math.min(count, this.#options.window - this.inFlight);
    if (free <= 0 || !this.ready || !this.#writable) return 0;
    const length = this.#template.length;
    const buffer = Buffer.allocUnsafe(length * free);
    for (let index = 0; index < free; index++) {
      const at = index * length;
      this.#template.copy(buffer, at);
      const id = this.#nextId;
      this.#nextId = id === PACKET_IDS - 1 ? 1 : id + 1;
      buffer[at + this.#packetIdAt] = id >> 8;
      buffer[at + this.#packetIdAt + 1] = id & 255;
      this.#stampTime(buffer, at + this.#timeAt);
      if (this.#valueAt >= 0) buffer[at + this.#valueAt] = 48 + (id % 10);
      this.#sentAt[id] = now;
    }
    this.inFlight += free;
    this.sent += free;
    this.#writable = this.#socket.write(buffer);
    return free;
  }

  end(): void {
    this.#socket.end(Buffer.from([0xe0, 0]));
  }

  #stampTime(buffer: Buffer, at: number): void {
    this.#timeMicros += this.#options.messageStepMicros;
    if (this.#options.format === 'protobuf') {
      let rest = this.#timeMicros;
      for (let byte = 0; byte < TIME_VARINT_BYTES; byte++) {
        const next = Math.floor(rest / 128);
        buffer[at + byte] = (rest - next * 128) | (byte < TIME_VARINT_BYTES - 1 ? 128 : 0);
        rest = next;
      }
      return;
    }
    let rest = Math.floor(this.#timeMicros / 1000);
    for (let digit = 12; digit >= 0; digit--) {
      const next = Math.floor(rest / 10);
      buffer[at + digit] = 48 + (rest - next * 10);
      rest = next;
    }
  }

  #read(chunk: Buffer, onReady: () => void): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const now = performance.now();
    let at = 0;
    while (bytes.length - at >= 2) {
      const length = bytes[at + 1]!; // What a broker sends here is shorter than 128 bytes.
      if (bytes.length - at < 2 + length) break;
      const type = bytes[at]! >> 4;
      if (type === 4) this.#acknowledge(bytes, at, length, now);
      else if (type === 2) this.#connected(bytes[at + 3]!, onReady);
      else if (type === 14) this.failed += 1;
      at += 2 + length;
    }
    this.#pending = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  }

  #acknowledge(bytes: Buffer, at: number, length: number, now: number): void {
    this.inFlight -= 1;
    if (length > 2 && bytes[at + 4]! >= 0x80) {
      this.failed += 1;
      return;
    }
    this.acknowledged += 1;
    this.#histogram.add(now - this.#sentAt[(bytes[at + 2]! << 8) | bytes[at + 3]!]!);
  }

  #connected(reasonCode: number, onReady: () => void): void {
    if (reasonCode !== 0) {
      this.failed += 1;
      console.error(`generator: CONNACK 0x${reasonCode.toString(16)}`);
      return;
    }
    this.ready = true;
    onReady();
  }
}

/** Opens the connections, a hundred at a time, and resolves when all are accepted. */
async function openConnections(options: GeneratorOptions, histogram: Histogram): Promise<Connection[]> {
  const connections: Connection[] = [];
  for (let first = 0; first < options.devices.length; first += 100) {
    const group = Math.min(100, options.devices.length - first);
    await new Promise<void>((resolve) => {
      let left = group;
      const onReady = (): void => {
        left -= 1;
        if (left === 0) resolve();
      };
      for (let index = 0; index < group; index++) {
        connections.push(new Connection(options, first + index, histogram, onReady));
      }
    });
  }
  return connections;
}

async function run(options: GeneratorOptions): Promise<void> {
  const whole = new Histogram();
  const connections = await openConnections(options, whole);
  const started = performance.now();
  const cpuStarted = process.cpuUsage();
  const tickMs = 5;
  const perConnection = options.messagesPerSecond / connections.length / 1000; // a millisecond
  const turnMs = options.burst / perConnection;
  let behind = 0;
  let loadEnded = 0;
  let turn = 0;
  const report = (kind: 'second' | 'total'): GeneratorReport => {
    const cpu = process.cpuUsage(cpuStarted);
    const sum = (key: 'sent' | 'acknowledged' | 'failed'): number =>
      connections.reduce((total, connection) => total + connection[key], 0);
    return {
      kind,
      sent: sum('sent'),
      acknowledged: sum('acknowledged'),
      failed: sum('failed'),
      behind: Math.round(behind),
      ackP50Ms: whole.quantile(0.5),
      ackP95Ms: whole.quantile(0.95),
      ackP99Ms: whole.quantile(0.99),
      seconds: (performance.now() - started) / 1000,
      drainSeconds: loadEnded === 0 ? 0 : (performance.now() - loadEnded) / 1000,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
    };
  };
  let lastLine = started;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      // Each connection has its turn every turnMs; in this tick those whose turn has come.
      const until = ((now - started) / turnMs) * connections.length;
      for (; turn < until; turn++) {
        const connection = connections[turn % connections.length]!;
        const due = options.burst + connection.dueCarry;
        const sent = connection.send(due, now);
        connection.dueCarry = Math.min(due - sent, options.window);
        behind += Math.max(0, due - sent - options.window);
      }
      if (now - lastLine >= 1000) {
        lastLine = now;
        console.log(JSON.stringify(report('second')));
      }
      if (now - started >= options.seconds * 1000) {
        clearInterval(timer);
        resolve();
      }
    }, tickMs);
  });
  loadEnded = performance.now();
  const deadline = loadEnded + 10_000;
  while (
    connections.some((connection) => connection.ready && connection.inFlight > 0) &&
    performance.now() < deadline
  ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  console.log(JSON.stringify(report('total')));
  for (const connection of connections) connection.end();
  setTimeout(() => process.exit(0), 200);
}

if (import.meta.main) {
  const input = await new Promise<string>((resolve) => {
    let all = '';
    process.stdin.on('data', (chunk) => {
      all += chunk;
    });
    process.stdin.on('end', () => resolve(all));
  });
  await run(JSON.parse(input) as GeneratorOptions);
}
