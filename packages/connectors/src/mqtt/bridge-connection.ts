/**
 * One connection to the external broker, from CONNECT to its end: subscribes, hands messages on, writes the acknowledgements
 * that it is given, keeps itself alive. It lives once: after a reconnect packet identifiers mean other messages, so
 * acknowledgements of an earlier connection must not reach a later one (MQTT 5, 4.4).
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '@fieldline/kit';
import {
  generate,
  type IConnackPacket,
  type IPublishPacket,
  type ISubackPacket,
  type Packet,
  type Parser,
  parser,
} from 'mqtt-packet';
import type { MqttBridgeOptions } from './bridge-options.ts';
import type { Acknowledging } from './intake.ts';

const VERSION = { protocolVersion: 5 } as const;
const CONNECT_TIMEOUT_MS = 10_000;
const SUBSCRIBE_ID = 1;
const UNSUBSCRIBE_ID = 2;
const PUBACK = 0x40;
/** 3.9.3: from here on a reason code is a refusal. */
const REFUSED = 0x80;

export interface ConnectionHandlers {
  /** The subscription stands. */
  subscribed(): void;
  /** What was not wanted any more is gone from the session; of a retiring connection, the session itself. */
  tidied(): void;
  /** `packetId` is 0 for QoS 0. The payload is good until the handler returns. */
  message(topic: string, payload: Uint8Array, packetId: number): void;
  /** Called once. */
  ended(reason: string): void;
}

export interface ConnectionOptions extends Omit<MqttBridgeOptions, 'route' | 'appendToLog' | 'connections'> {
  /** Subscriptions of the session that are not wanted any more. */
  readonly obsolete: readonly string[];
  /** Only fetches what still waits in the session, and ends it. */
  readonly retires: boolean;
}

/** A retiring session with nothing to fetch for so long has nothing any more. */
const RETIRED_AFTER_MS = 2_000;

export class BridgeConnection implements Acknowledging {
  readonly #options: ConnectionOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #socket: Socket;
  readonly #parser: Parser = parser(VERSION);
  #acknowledgements: number[] = [];
  #keepAliveMs: number;
  #lastReceivedMs: number;
  #lastSentMs: number;
  #isSettled = false;
  /** Messages that wait for their acknowledgement. */
  #unanswered = 0;
  #retiresSinceMs: number | null = null;
  #isEnded = false;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#keepAliveMs = options.keepAliveS * 1000;
    this.#lastReceivedMs = this.#lastSentMs = options.clock.monotonicMs();
    this.#socket = this.#open();
    this.#parser.on('packet', (packet) => this.#onPacket(packet));
    this.#parser.on('error', (error) => this.#end(`sent what is not MQTT 5: ${String(error)}`));
    this.#socket.on('data', (chunk: Buffer) => {
      this.#lastReceivedMs = options.clock.monotonicMs();
      const keptBytes = this.#parser.parse(chunk);
      if (keptBytes > options.packetBytesMax) this.#end(`sends a packet of more than ${options.packetBytesMax} bytes`);
    });
    this.#socket.on('error', (error) => this.#end(messageOf(error)));
    this.#socket.on('close', () => this.#end('the connection was closed'));
    this.#timer = setInterval(() => this.#checkTime(), Math.min(1000, this.#keepAliveMs / 4));
  }

  acknowledge(packetId: number, reasonCode: number): void {
    this.#unanswered -= 1;
    // 3.4.2.1: without properties reason code 0 is left out.
    if (reasonCode === 0) this.#acknowledgements.push(PUBACK, 2, packetId >> 8, packetId & 0xff);
    else this.#acknowledgements.push(PUBACK, 3, packetId >> 8, packetId & 0xff, reasonCode);
  }

  flush(): void {
    const bytes = Buffer.from(this.#acknowledgements);
    this.#acknowledgements = [];
    if (!this.#isEnded) this.#write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#lastReceivedMs = this.#options.clock.monotonicMs(); // While we do not read, silence is ours.
    this.#socket.resume();
  }

  /** Says goodbye; the session stays with the broker. */
  disconnect(): void {
    if (this.#isEnded) return;
    this.#write(generate({ cmd: 'disconnect', reasonCode: 0 }, VERSION));
    this.#end('disconnected');
  }

  #open(): Socket {
    const { url, tls } = this.#options;
    const { protocol, hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const greet = (): void => this.#write(this.#connectPacket());
    if (protocol === 'mqtt:') return connectTcp({ host, port: Number(port || 1883) }, greet).setNoDelay(true);
    return connectTls({ host, port: Number(port || 8883), servername: host, ...tls }, greet).setNoDelay(true);
  }

  #connectPacket(): Buffer {
    const { clientId, userName, password, keepAliveS, sessionExpiryS, receiveMaximum, packetBytesMax } = this.#options;
    return generate(
      {
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clientId,
        clean: false, // [MQTT-3.1.2-5]: what came while we were away is kept for us.
        keepalive: keepAliveS,
        ...(userName !== '' && { username: userName }),
        ...(password !== '' && { password: Buffer.from(password) }),
        properties: { sessionExpiryInterval: sessionExpiryS, receiveMaximum, maximumPacketSize: packetBytesMax },
      },
      VERSION,
    );
  }

  #onPacket(packet: Packet): void {
    if (this.#isEnded) return;
    switch (packet.cmd) {
      case 'connack':
        this.#onConnack(packet);
        return;
      case 'suback':
        this.#onSuback(packet);
        return;
      case 'unsuback':
        this.#onUnsuback();
        return;
      case 'publish':
        this.#onPublish(packet);
        return;
      case 'pingresp':
        return;
      case 'disconnect':
        this.#end(`disconnected us: ${reasonOf(packet.reasonCode, packet.properties?.reasonString)}`);
        return;
      default:
        this.#end(`sent ${packet.cmd.toUpperCase()}, which nobody asked for`);
    }
  }

  #onConnack({ reasonCode = 0, properties }: IConnackPacket): void {
    if (reasonCode !== 0) {
      this.#end(`refused the connection: ${reasonOf(reasonCode, properties?.reasonString)}`);
      return;
    }
    if (properties?.sharedSubscriptionAvailable === false) {
      this.#end('offers no shared subscriptions, which the bridge needs');
      return;
    }
    // [MQTT-3.2.2-21]: the server's keep-alive goes before ours.
    if (properties?.serverKeepAlive !== undefined) this.#keepAliveMs = properties.serverKeepAlive * 1000;
    if (this.#options.retires) {
      this.#unsubscribe();
      return;
    }
    const subscriptions = subscriptionsOf(this.#options).map((topic) => ({ topic, qos: 1 as const }));
    this.#write(generate({ cmd: 'subscribe', messageId: SUBSCRIBE_ID, subscriptions }, VERSION));
  }

  #unsubscribe(): void {
    const unsubscriptions = [...this.#options.obsolete];
    this.#write(generate({ cmd: 'unsubscribe', messageId: UNSUBSCRIBE_ID, unsubscriptions }, VERSION));
  }

  /** That there was no such subscription (0x11) is as good. */
  #onUnsuback(): void {
    this.#isSettled = true;
    if (this.#options.retires) this.#retiresSinceMs = this.#options.clock.monotonicMs();
    else this.#handlers.tidied();
  }

  #onSuback({ granted, properties }: ISubackPacket): void {
    const refused = (granted as number[]).findIndex((code) => code >= REFUSED);
    if (refused >= 0) {
      const reason = reasonOf((granted as number[])[refused], properties?.reasonString);
      this.#end(
        `refused the subscription to $share/${this.#options.shareGroup}/${this.#options.filters[refused]}: ${reason}`,
      );
      return;
    }
    this.#isSettled = true;
    this.#handlers.subscribed();
    // Only now: what comes between is had twice, rather than not at all.
    if (this.#options.obsolete.length > 0) this.#unsubscribe();
  }

  #onPublish({ topic, payload, qos, messageId }: IPublishPacket): void {
    if (qos === 2) {
      this.#end('sent a message with QoS 2, where QoS 1 was subscribed to');
      return;
    }
    if (qos === 1) this.#unanswered += 1;
    if (this.#retiresSinceMs !== null) this.#retiresSinceMs = this.#options.clock.monotonicMs();
    this.#handlers.message(topic, payload as Buffer, qos === 0 ? 0 : messageId!);
  }

  #write(bytes: Buffer): void {
    this.#lastSentMs = this.#options.clock.monotonicMs();
    this.#socket.write(bytes);
  }

  #checkTime(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#isSettled) {
      if (nowMs - this.#lastSentMs > CONNECT_TIMEOUT_MS) this.#end('did not answer in time');
      return;
    }
    if (this.#retiresSinceMs !== null && this.#unanswered === 0 && nowMs - this.#retiresSinceMs > RETIRED_AFTER_MS) {
      // 3.14.2.2.2: the session ends with the connection.
      this.#write(generate({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } }, VERSION));
      this.#handlers.tidied();
      this.#end('the session is not needed any more');
      return;
    }
    if (this.#keepAliveMs === 0) return;
    const isSilent = !this.#socket.isPaused() && nowMs - this.#lastReceivedMs > this.#keepAliveMs * 1.5;
    if (isSilent) this.#end('was silent for one and a half times the keep-alive');
    else if (nowMs - this.#lastSentMs > this.#keepAliveMs / 2) this.#write(generate({ cmd: 'pingreq' }, VERSION));
  }

  #end(reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#timer);
    this.#socket.end();
    this.#socket.destroySoon();
    this.#handlers.ended(reason);
  }
}

/** What the settings ask for, as it is subscribed to. */
export function subscriptionsOf({ filters, shareGroup }: Pick<MqttBridgeOptions, 'filters' | 'shareGroup'>): string[] {
  return filters.map((filter) => `$share/${shareGroup}/${filter}`);
}

function reasonOf(code: number | undefined, words: string | undefined): string {
  const number = `0x${(code ?? 0).toString(16).toUpperCase().padStart(2, '0')}`;
  return words === undefined ? number : `${number} (${words})`;
}
