/**
 * What the interoperability tests ask of a client that we did not write: subscribe and publish, in one form for mqtt.js, Eclipse
 * Paho (Python) and Mosquitto's programs. What one of them cannot do it does not list in `supports`.
 */
import type { QoS } from '../../message.ts';

export interface Address {
  readonly port: number;
  readonly transport: 'tcp' | 'websocket';
  readonly protocolVersion: 4 | 5;
}

export interface StockMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly expiryS?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly userProperty?: readonly [key: string, value: string];
  readonly topicAlias?: number;
}

export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly expiryS?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly userProperty?: readonly [key: string, value: string];
  readonly subscriptionIdentifiers?: readonly number[];
}

export interface SubscribeRequest {
  /** Also the user name. */
  readonly clientId: string;
  readonly filter: string;
  readonly qos?: QoS;
  /** Default true: nothing is left from before. */
  readonly clean?: boolean;
  /** MQTT 5; default 0. */
  readonly sessionExpiryS?: number;
  readonly identifier?: number;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: 0 | 1 | 2;
  readonly topicAliasMaximum?: number;
  /** MQTT 5; how many QoS 1 and 2 messages it takes at a time. */
  readonly receiveMaximum?: number;
  /** MQTT 5; the largest packet that it takes. */
  readonly packetBytesMax?: number;
  /** Default 60. */
  readonly keepAliveS?: number;
  readonly will?: { readonly topic: string; readonly payload: string; readonly delayS: number };
}

export interface StockSubscriber {
  readonly received: readonly ReceivedMessage[];
  /** Publishes over the connection that listens; there where the client supports 'no local'. */
  say?(message: StockMessage): void;
  /** Leaves in order. */
  stop(): Promise<void>;
  /** Breaks the connection without a word: the will is due. */
  kill(): void;
}

export type Capability =
  /** Its stop() takes the will back in MQTT 5; mosquitto_sub asks for it: DISCONNECT 0x04 [MQTT-3.14.4-3]. */
  | 'quiet leave'
  | 'websocket'
  | 'no local'
  | 'retain options'
  /** Knows the topic behind an alias that the server sends. */
  | 'aliases from the server'
  /** Pings as often as the server wants to hear it. */
  | 'server keep-alive';

/** One connection, MQTT 5, and what is asked over it: all of it at once. */
export interface VisitRequest {
  /** Empty = the server is to give one. */
  readonly clientId: string;
  readonly userName: string;
  /** Default: the right one. */
  readonly password?: string;
  readonly authenticationMethod?: string;
  readonly clean?: boolean;
  readonly sessionExpiryS?: number;
  /** QoS 1. */
  readonly subscribe?: string;
  readonly unsubscribe?: string;
  readonly publish?: readonly StockMessage[];
}

/** What one answer of the broker said, as the client tells it. */
export interface Told {
  readonly reasonCode: number;
  readonly reasonString?: string;
}

/** What a visitor was told; an answer that did not come before the end is not there. */
export interface Visit {
  readonly connack?: Told & {
    readonly sessionPresent: boolean;
    readonly assignedClientId?: string;
    readonly serverKeepAliveS?: number;
    readonly receiveMaximum?: number;
    readonly packetBytesMax?: number;
    readonly sessionExpiryS?: number;
  };
  readonly suback?: Told;
  readonly unsuback?: Told;
  /** The first one. */
  readonly puback?: Told;
  readonly disconnect?: Told;
}

export interface StockClient {
  readonly name: string;
  readonly supports: ReadonlySet<Capability>;
  /** Resolves when the subscription stands, or was asked for where the client does not tell. */
  subscribe(address: Address, request: SubscribeRequest): Promise<StockSubscriber>;
  /** Over one connection in order; resolves when all are acknowledged and the client has gone. `clientId` is the user name, too. */
  publish(address: Address, clientId: string, messages: readonly StockMessage[]): Promise<void>;
  /** Resolves when everything is answered, or the broker has ended the connection. Not there where a client tells no answers. */
  visit?(address: Address, request: VisitRequest): Promise<Visit>;
}
