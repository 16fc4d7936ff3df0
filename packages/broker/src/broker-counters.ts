/** Counts in plain numbers on the hot path; publish() brings what has been added since into the metrics. */
import type { Metrics } from '@fieldline/kit';
import type { DropReason } from './router/router.ts';

export interface CounterValues {
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  messagesRefused: number;
  connectionsAccepted: number;
  connectionsRefused: number;
  protocolErrors: number;
  recordsCommitted: number;
  sessionsDisplaced: number;
}

/** Why the broker ended a connection of its own accord, where it was not for a malformed packet. */
export type EndReason = 'no-connect' | 'keep-alive' | 'slow-packet' | 'stalled-reader' | 'over-budget';

const NAMES: Readonly<Record<keyof CounterValues, readonly [name: string, help: string]>> = {
  messagesReceived: ['mqtt_messages_received_total', 'PUBLISH packets from clients'],
  messagesSent: ['mqtt_messages_sent_total', 'PUBLISH packets to clients'],
  bytesReceived: ['mqtt_bytes_received_total', 'Bytes read from MQTT clients'],
  bytesSent: ['mqtt_bytes_sent_total', 'Bytes written to MQTT clients'],
  messagesRefused: ['mqtt_messages_refused_total', 'PUBLISH packets to a topic that the client may not use'],
  connectionsAccepted: ['mqtt_connections_accepted_total', 'CONNECT packets that were accepted'],
  connectionsRefused: ['mqtt_connections_refused_total', 'Connections that were refused'],
  protocolErrors: ['mqtt_protocol_errors_total', 'Packets that were malformed or broke the protocol'],
  recordsCommitted: ['mqtt_records_committed_total', 'Messages that were made durable in the log'],
  sessionsDisplaced: ['mqtt_sessions_displaced_total', 'Sessions that ended because their device opened too many'],
};

/** The state behind the gauges. */
export interface GaugeSource {
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retainedMessages: number;
  readonly queuedBytes: number;
  readonly spooledBytes: number;
  readonly pendingBytes: number;
}

export class BrokerCounters implements CounterValues {
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  messagesRefused = 0;
  connectionsAccepted = 0;
  connectionsRefused = 0;
  protocolErrors = 0;
  recordsCommitted = 0;
  sessionsDisplaced = 0;
  readonly ended: Record<EndReason, number> = {
    'no-connect': 0,
    'keep-alive': 0,
    'slow-packet': 0,
    'stalled-reader': 0,
    'over-budget': 0,
  };
  readonly dropped: Record<DropReason, number> = {
    'slow-reader': 0,
    'queue-full': 0,
    expired: 0,
    'packet-too-large': 0,
    'retained-full': 0,
    'not-allowed': 0,
    'log-failed': 0,
  };
  readonly #published = new Map<string, number>();

  /** Adds what was counted since the last call. */
  publish(metrics: Metrics): void {
    for (const key of Object.keys(NAMES) as (keyof CounterValues)[]) {
      const added = this.#added(key, this[key]);
      if (added > 0) metrics.counter(...NAMES[key]).inc(added);
    }
    this.#publishReasons(
      metrics,
      'mqtt_messages_dropped_total',
      'Messages that were not delivered, by reason',
      this.dropped,
    );
    this.#publishReasons(
      metrics,
      'mqtt_connections_ended_total',
      'Connections that the broker ended, by reason',
      this.ended,
    );
  }

  #publishReasons(metrics: Metrics, name: string, help: string, counts: Readonly<Record<string, number>>): void {
    const counter = metrics.counter(name, help, ['reason']);
    for (const [reason, value] of Object.entries(counts)) {
      const added = this.#added(`${name} ${reason}`, value);
      if (added > 0) counter.inc({ reason }, added);
    }
  }

  #added(key: string, value: number): number {
    const before = this.#published.get(key) ?? 0;
    this.#published.set(key, value);
    return value - before;
  }
}

/** Registers the gauges; they are read at each scrape. */
export function registerGauges(metrics: Metrics, source: () => GaugeSource): void {
  const gauge = (name: string, help: string, value: (state: GaugeSource) => number): void => {
    metrics.gauge(name, help, [], (target) => target.set(value(source())));
  };
  gauge('mqtt_connections', 'MQTT clients that are connected', (state) => state.connections);
  gauge('mqtt_sessions', 'MQTT sessions, connected or waiting', (state) => state.sessions);
  gauge('mqtt_subscriptions', 'MQTT subscriptions', (state) => state.subscriptions);
  gauge('mqtt_retained_messages', 'Retained MQTT messages', (state) => state.retainedMessages);
  gauge(
    'mqtt_queued_bytes',
    'Bytes of messages that wait for MQTT clients or their answers',
    (state) => state.queuedBytes,
  );
  gauge('mqtt_queue_spooled_bytes', 'Disk that long queues take beside the journal', (state) => state.spooledBytes);
  gauge('mqtt_log_pending_bytes', 'Bytes that wait to be made durable and acknowledged', (state) => state.pendingBytes);
}
