/** mosquitto_sub and mosquitto_pub as a stock client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../harness.ts';
import type { Address, ReceivedMessage, StockClient, StockMessage, SubscribeRequest } from './stock-client.ts';

export const mosquitto: StockClient = {
  name: 'Mosquitto',
  supports: new Set(['server keep-alive']),

  async subscribe(address, request) {
    const options = [...login(address, request.clientId), ...subscribeOptions(address, request)];
    // Line by line: it tells of the subscription when that stands, not when its buffer is full.
    const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...options]);
    const received: ReceivedMessage[] = [];
    let subscribed = false;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) received.push(receivedOf(JSON.parse(line)));
      else if (line.startsWith('Subscribed')) subscribed = true;
    });
    await until(() => subscribed || child.exitCode !== null, 'mosquitto_sub has subscribed');
    return { received, stop: () => ended(child, 'SIGINT'), kill: () => void child.kill('SIGKILL') };
  },

  async publish(address, clientId, messages) {
    // One process a topic and its properties; its lines are the payloads.
    for (let from = 0; from < messages.length; ) {
      const same = messages.slice(from).findIndex((message) => !isLike(message, messages[from]!));
      const count = same < 0 ? messages.length - from : same;
      await publishLines(address, clientId, messages.slice(from, from + count));
      from += count;
    }
  },
};

async function publishLines(address: Address, clientId: string, messages: readonly StockMessage[]): Promise<void> {
  const message = messages[0]!;
  const options = ['-t', message.topic, '-q', String(message.qos ?? 0), '-l', ...(message.retain ? ['-r'] : [])];
  const properties = address.protocolVersion === 5 ? propertiesOf(message) : [];
  const child = spawn('mosquitto_pub', [...login(address, clientId), ...options, ...properties]);
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(messages.map(({ payload }) => `${payload}\n`).join(''));
  const code = await exit;
  if (code !== 0) throw new Error(`mosquitto_pub ended with ${code}`);
}

function isLike(a: StockMessage, b: StockMessage): boolean {
  return JSON.stringify({ ...a, payload: '' }) === JSON.stringify({ ...b, payload: '' });
}

function login({ port, protocolVersion }: Address, clientId: string): string[] {
  const version = protocolVersion === 5 ? 'mqttv5' : 'mqttv311';
  return ['-h', '127.0.0.1', '-p', String(port), '-V', version, '-u', clientId, '-P', 'secret', '-i', clientId];
}

function subscribeOptions({ protocolVersion }: Address, request: SubscribeRequest): string[] {
  const { filter, qos = 0, clean = true, sessionExpiryS, identifier, receiveMaximum, packetBytesMax, will } = request;
  const isFive = protocolVersion === 5;
  return [
    ...['-t', filter, '-q', String(qos), '-F', '%j', '-d'],
    ...(clean ? [] : ['-c']),
    ...(isFive && sessionExpiryS !== undefined ? ['-x', String(sessionExpiryS)] : []),
    ...(request.keepAliveS === undefined ? [] : ['-k', String(request.keepAliveS)]),
    ...(receiveMaximum === undefined ? [] : ['-D', 'connect', 'receive-maximum', String(receiveMaximum)]),
    ...(packetBytesMax === undefined ? [] : ['-D', 'connect', 'maximum-packet-size', String(packetBytesMax)]),
    ...(identifier === undefined ? [] : ['-D', 'subscribe', 'subscription-identifier', String(identifier)]),
    ...(will === undefined ? [] : ['--will-topic', will.topic, '--will-payload', will.payload, '--will-qos', '1']),
    ...(will === undefined || !isFive ? [] : ['-D', 'will', 'will-delay-interval', String(will.delayS)]),
  ];
}

function propertiesOf(message: StockMessage): string[] {
  const { expiryS, contentType, responseTopic, correlationData, userProperty, topicAlias } = message;
  const property = (name: string, ...values: readonly string[]): string[] => ['-D', 'publish', name, ...values];
  return [
    ...(expiryS === undefined ? [] : property('message-expiry-interval', String(expiryS))),
    ...(contentType === undefined ? [] : property('content-type', contentType)),
    ...(responseTopic === undefined ? [] : property('response-topic', responseTopic)),
    ...(correlationData === undefined ? [] : property('correlation-data', correlationData)),
    ...(userProperty === undefined ? [] : property('user-property', ...userProperty)),
    ...(topicAlias === undefined ? [] : property('topic-alias', String(topicAlias))),
  ];
}

/** What mosquitto_sub writes with -F %j. */
interface Line {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: number;
  readonly properties?: Readonly<Record<string, unknown>>;
}

function receivedOf({ topic, payload, qos, retain, properties = {} }: Line): ReceivedMessage {
  const user = properties['user-properties'] as Readonly<Record<string, string>> | undefined;
  const [first] = Object.entries(user ?? {});
  const texts = { contentType: 'content-type', responseTopic: 'response-topic', correlationData: 'correlation-data' };
  const known = Object.entries(texts).filter(([, theirs]) => properties[theirs] !== undefined);
  const expiryS = properties['message-expiry-interval'] as number | undefined;
  const ids = properties['subscription-identifier'] as number | number[] | undefined;
  return {
    topic,
    payload,
    qos,
    retain: retain === 1,
    ...Object.fromEntries(known.map(([ours, theirs]) => [ours, String(properties[theirs])])),
    ...(expiryS !== undefined && { expiryS }),
    ...(first !== undefined && { userProperty: first }),
    ...(ids !== undefined && { subscriptionIdentifiers: [ids].flat() }),
  };
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  return exit;
}
