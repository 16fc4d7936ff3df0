/** What the bridge to an external broker is told: where that broker is, what is asked of it, and where its messages go. */
import type { Clock, Logger, Metrics } from '@fieldline/kit';
import type { Origin, RawBatch } from '@fieldline/model';
import type { RememberedSessions } from './remembered-sessions.ts';

/** PEM texts. */
export interface BridgeTls {
  /** Authorities of the broker's certificate; absent = those that the system trusts. */
  readonly ca?: string;
  /** Our own certificate and key, where the broker wants one. */
  readonly cert?: string;
  readonly key?: string;
}

/** Where a message goes, and what its PUBACK says: it is kept in either case, for a dead letter tells more than a refusal. */
export interface BridgeRoute {
  readonly origin: Origin;
  /** Reason code of PUBACK (MQTT 5, 3.4.2.1). */
  readonly reasonCode: number;
}

export interface MqttBridgeOptions {
  /** mqtt://host:1883 or mqtts://host:8883 */
  readonly url: string;
  /** Empty = none is sent. */
  readonly userName: string;
  readonly password: string;
  readonly tls: BridgeTls;
  /** Connection n calls itself `{clientId}-{n}`; the same after a restart, so that it finds its session again. */
  readonly clientId: string;
  /** Topic filters, without the share. */
  readonly filters: readonly string[];
  /** Group of the shared subscription: who else is in it shares the messages with us. */
  readonly shareGroup: string;
  /** Connections side by side; more where one thread of the broker is the limit. */
  readonly connections: number;
  /** Messages that the broker may send before the first is acknowledged, per connection (3.1.2.11.3). */
  readonly receiveMaximum: number;
  /** How long the broker keeps messages for us while we are away, s. */
  readonly sessionExpiryS: number;
  readonly keepAliveS: number;
  /** Largest packet that we take (3.1.2.11.4). */
  readonly packetBytesMax: number;
  /** Bytes that may wait for the log; beyond it the sockets are read later. */
  readonly pendingBytesMax: number;
  /** What earlier settings have left at external brokers. */
  readonly sessions: RememberedSessions;
  route(topic: string): BridgeRoute;
  /** Resolves when the batch is durable. */
  appendToLog(batch: RawBatch): Promise<unknown>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
