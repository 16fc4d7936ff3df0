/** What the broker is told from outside, and every limit it keeps with its default. */
import type { Clock, Logger, Metrics } from '@fieldline/kit';
import type { Micros, Origin, RawBatch } from '@fieldline/model';
import type { ProtocolVersion, QoS } from './message.ts';

/** Who is connected. Authorisation and sessions hang on it, never on what a topic says. */
export interface ClientIdentity {
  readonly organizationId: string;
  /** Device id, user id or service name, by kind. */
  readonly deviceId: string;
  readonly kind: 'device' | 'user' | 'service';
}

export interface ConnectRequest {
  /** Empty where the client leaves it to the server. */
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  /** CN of the client's certificate; only where the certificate was verified against the listener's `ca`. */
  readonly certificateCommonName: string | undefined;
  /** SHA-256 of that certificate: hex in upper case, with colons. */
  readonly certificateFingerprint: string | undefined;
  readonly remoteAddress: string;
  readonly secure: boolean;
  readonly protocolVersion: ProtocolVersion;
}

export type Authentication =
  | { readonly accepted: true; readonly identity: ClientIdentity }
  | { readonly accepted: false; readonly reasonCode: number; readonly reason: string };

/** Where a message goes: into the log, to other clients of the organisation, or nowhere. */
export type PublishRoute =
  | { readonly to: 'log'; readonly origin: Origin }
  | { readonly to: 'clients' }
  | { readonly to: 'both'; readonly origin: Origin }
  | { readonly to: 'refused'; readonly reasonCode: number; readonly reason: string };

export type SubscribeDecision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reasonCode: number; readonly reason: string };

export interface ConnectionEvent {
  readonly type: 'connected' | 'disconnected' | 'refused';
  /** Absent where a client was refused before it was known. */
  readonly identity?: ClientIdentity;
  readonly clientId: string;
  readonly remoteAddress: string;
  readonly reasonCode: number;
  readonly reason: string;
  readonly time: Micros;
}

export interface TcpListenerOptions {
  readonly host: string;
  /** 0 = any free port; see Broker.addresses(). */
  readonly port: number;
}

/** What a handshake rests on; may be renewed while the listener is open. */
export interface TlsMaterial {
  /** PEM. */
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** PEM of the authorities that sign client certificates. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
}

export interface TlsListenerOptions extends TcpListenerOptions, TlsMaterial {
  /** 'none': not asked for. 'optional': verified where one is sent. 'required': no handshake without one. */
  readonly clientCertificate: 'none' | 'optional' | 'required';
  /** Default TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface BrokerLimits {
  readonly connectionsMax: number;
  /** From the first byte of TCP to an accepted CONNECT. */
  readonly connectTimeoutMs: number;
  /** Largest packet that is taken; told to MQTT 5 clients. */
  readonly packetBytesMax: number;
  /** Largest CONNECT: what somebody unknown can make the broker hold. */
  readonly connectBytesMax: number;
  /** Unanswered QoS 1 and 2 messages from one MQTT 5 client (3.2.2.3.3); beyond it: 0x93. */
  readonly receiveMaximum: number;
  /** Unanswered QoS 1 and 2 messages to one client; a client's own lower receive maximum goes before. */
  readonly inFlightMax: number;
  /** A client that asks for more (or for none at all) is given this; null = it may have none. */
  readonly keepAliveMaxS: number | null;
  readonly sessionExpiryMaxS: number;
  readonly sessionsMax: number;
  /** Sessions of one device; for one more, the one that has been alone for longest ends; 0x97 where all are connected. */
  readonly sessionsPerDeviceMax: number;
  readonly subscriptionsPerSessionMax: number;
  /** Subscriptions with the levels of their filters, of one device over all its sessions; for one more: 0x97. */
  readonly subscriptionBytesPerDeviceMax: number;
  /** The same of one organisation. */
  readonly subscriptionBytesPerOrganizationMax: number;
  /** The same in all. */
  readonly subscriptionBytesMax: number;
  readonly topicLengthMax: number;
  readonly topicLevelsMax: number;
  readonly topicAliasMaximum: number;
  readonly cachedTopicsMax: number;
  /** Bytes that wait for the log in all; beyond it sockets are not read until half of it is free. */
  readonly pendingBytesMax: number;
  /** Bytes of one connection that wait for the log; beyond it this socket is not read. */
  readonly pendingBytesPerConnectionMax: number;
  /** Bytes of one device, over all its connections, that wait for the log; beyond it none of its sockets is read. */
  readonly pendingBytesPerDeviceMax: number;
  /** Bytes of packets that are not complete yet, of one device; a connection that goes beyond it is closed (0x97). */
  readonly partialBytesPerDeviceMax: number;
  /** The same in all. */
  readonly partialBytesMax: number;
  /** The same of all connections that nobody has logged in on yet. */
  readonly unknownBytesMax: number;
  /** How long a packet may take from its first byte to its last. */
  readonly packetTimeoutMs: number;
  /** Bytes written to a socket that the client has not read: beyond it QoS 0 is dropped and its own packets are not read. */
  readonly outboundBytesPerConnectionMax: number;
  /** The same of one device: beyond it each of its connections has its share of that, at least 16 KiB. */
  readonly outboundBytesPerDeviceMax: number;
  /** The same in all. */
  readonly outboundBytesMax: number;
  /** How long a client that has too much unread may read nothing at all before it is disconnected (0x97). */
  readonly stalledReaderTimeoutMs: number;
  /** QoS 1 and 2 messages that wait in one session; beyond it the oldest gives way and is counted. */
  readonly queueBytesPerSessionMax: number;
  /** The same of one device, with what is sent and not acknowledged; beyond it its largest queues give way. */
  readonly queueBytesPerDeviceMax: number;
  /** The same in all. */
  readonly queueBytesMax: number;
  /** What of them is held as objects, in all; beyond it more of every queue lies on disk. */
  readonly queueMemoryBytesMax: number;
  /**
   * Retained messages with the levels of their topics, of one device; beyond it a message is delivered but not retained, and
   * nothing is retained on its topic any more.
   */
  readonly retainedBytesPerDeviceMax: number;
  /** The same of one organisation. */
  readonly retainedBytesPerOrganizationMax: number;
  /** The same in all. */
  readonly retainedBytesMax: number;
  /** How often $SYS/broker/… is sent to those who have subscribed to it; 0 = there is none. */
  readonly systemIntervalMs: number;
  /** How long a failing append is tried again before those who wait are disconnected. */
  readonly appendRetryMs: number;
  /** How long a closing socket may take to read what was said last. */
  readonly closeTimeoutMs: number;
}

export const DEFAULT_LIMITS: BrokerLimits = {
  connectionsMax: 20_000,
  connectTimeoutMs: 9_500,
  packetBytesMax: 1024 * 1024,
  connectBytesMax: 64 * 1024,
  receiveMaximum: 1_000,
  inFlightMax: 100,
  keepAliveMaxS: null,
  sessionExpiryMaxS: 7 * 24 * 3600,
  sessionsMax: 50_000,
  sessionsPerDeviceMax: 100,
  subscriptionsPerSessionMax: 1_000,
  subscriptionBytesPerDeviceMax: 16 * 1024 * 1024,
  subscriptionBytesPerOrganizationMax: 128 * 1024 * 1024,
  subscriptionBytesMax: 256 * 1024 * 1024,
  topicLengthMax: 1_024,
  topicLevelsMax: 32,
  topicAliasMaximum: 32,
  cachedTopicsMax: 256,
  pendingBytesMax: 64 * 1024 * 1024,
  pendingBytesPerConnectionMax: 4 * 1024 * 1024,
  pendingBytesPerDeviceMax: 16 * 1024 * 1024,
  partialBytesPerDeviceMax: 8 * 1024 * 1024,
  partialBytesMax: 64 * 1024 * 1024,
  unknownBytesMax: 16 * 1024 * 1024,
  packetTimeoutMs: 120_000,
  outboundBytesPerConnectionMax: 256 * 1024,
  outboundBytesPerDeviceMax: 2 * 1024 * 1024,
  outboundBytesMax: 32 * 1024 * 1024,
  stalledReaderTimeoutMs: 60_000,
  queueBytesPerSessionMax: 4 * 1024 * 1024,
  queueBytesPerDeviceMax: 16 * 1024 * 1024,
  queueBytesMax: 128 * 1024 * 1024,
  queueMemoryBytesMax: 64 * 1024 * 1024,
  retainedBytesPerDeviceMax: 32 * 1024 * 1024,
  retainedBytesPerOrganizationMax: 128 * 1024 * 1024,
  retainedBytesMax: 256 * 1024 * 1024,
  systemIntervalMs: 10_000,
  appendRetryMs: 15_000,
  closeTimeoutMs: 2_000,
};

export interface BrokerOptions {
  readonly listeners: {
    readonly tcp?: readonly TcpListenerOptions[];
    readonly tls?: readonly TlsListenerOptions[];
    /** MQTT over WebSocket (path /mqtt, subprotocol "mqtt"); with a certificate over TLS. */
    readonly ws?: readonly (TcpListenerOptions | TlsListenerOptions)[];
  };
  /** Those that are not named have the default. */
  readonly limits?: Partial<BrokerLimits>;
  /** Asked once per CONNECT. A rejection of the promise refuses the client with 0x88 (server unavailable). */
  authenticate(request: ConnectRequest): Authentication | Promise<Authentication>;
  /** Asked once per (connection, topic) and again after forgetRoutes(). Must give the same Origin object while nothing changed. */
  route(identity: ClientIdentity, topic: string): PublishRoute;
  /** `filter` is without the $share/{name}/ of a shared subscription. */
  maySubscribe(identity: ClientIdentity, filter: string): SubscribeDecision;
  /**
   * Root of the topics on which answers may be sent to this client, for those who ask at CONNECT (MQTT 5, 3.2.2.3.15);
   * null or absent = they are told none.
   */
  responseInformation?(identity: ClientIdentity): string | null;
  /** Resolves when the batch is durable: only then it is acknowledged. The batch's memory is used again afterwards. */
  appendToLog(batch: RawBatch): Promise<unknown>;
  onConnection?(event: ConnectionEvent): void;
  /** Folder of the session journal; null = sessions and retained messages do not survive the process. */
  readonly dataDir: string | null;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export interface PlatformMessage {
  readonly organizationId: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain?: boolean;
  readonly expiryS?: number;
}
